import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { newEvent, postEvent } from "./events.ts";
import { type Message, openPublisher, read } from "./kafka-client.ts";
import { startService } from "./service/run.ts";
import { type Group, startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

describe.each(Object.entries(inject("services")))("%s: an event", (_name, directory) => {
  it("goes from a request to the handler, with the request's ids", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await service.untilReady();
    const headers = {
      "x-request-id": `request-${randomUUID()}`,
      "x-correlation-id": "whole-story",
    };
    const { id, status } = await postEvent(service, { headers });
    expect(status).toBe(202);
    await untilProcessed(group, id);
    const [message] = await read(surroundings.kafka.brokers, group.topic, 1);
    expect(message).toMatchObject({ key: id, headers });
    expect(message?.headers["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    expect(JSON.parse(message?.value ?? "")).toMatchObject({
      id: expect.any(String),
      type: "receipt.scanned",
      time: expect.any(String),
      data: { receiptId: id },
    });
  });

  it("that cannot be read is a dead letter at once, and the others go on", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    const good = newEvent();
    const unknown = newEvent();
    unknown.message.value = unknown.message.value.replace("receipt.scanned", "receipt.eaten");
    const wrong = newEvent();
    wrong.message.value = wrong.message.value.replace('"totalCents":100', '"totalCents":-1');
    const broken = { key: "broken", value: '{"id":', headers: { "x-request-id": "seen-before" } };
    const bad: Message[] = [unknown.message, wrong.message, broken];
    await publish(group, [...bad, good.message]);
    await untilProcessed(group, good.id);
    const letters = await read(surroundings.kafka.brokers, `${group.topic}.dlq`, bad.length);
    expect(sortedByKey(letters)).toEqual(
      sortedByKey(bad).map(({ key, value, headers }) => ({
        key,
        value,
        headers: expect.objectContaining({
          ...headers,
          "x-dlq-topic": group.topic,
          "x-dlq-partition": expect.stringMatching(/^\d+$/),
          "x-dlq-offset": expect.stringMatching(/^\d+$/),
          "x-dlq-timestamp": expect.any(String),
          "x-dlq-error": expect.stringMatching(/./),
        }),
      })),
    );
    expect((await service.lines()).length).toBeGreaterThan(0);
    expect(await group.processed.ids()).toEqual([good.id]);
  });

  it("that fails again and again is a dead letter, and comes back when it is replayed", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await service.untilReady();
    const flag = `${group.processed.path}.broken`;
    await writeFile(flag, "");
    const { id } = await postEvent(service, { retailer: "Broken" });
    const after = await postEvent(service);
    await untilProcessed(group, after.id);
    const [letter] = await read(surroundings.kafka.brokers, `${group.topic}.dlq`, 1);
    expect(letter).toMatchObject({
      key: id,
      headers: {
        "x-dlq-error": expect.stringContaining("out of order"),
        "x-dlq-attempts": "4",
        "x-dlq-topic": group.topic,
      },
    });
    expect(await group.processed.ids()).not.toContain(id);

    const list = await command(directory, group, "kafka-dlq.js", "list");
    expect(list).toContain("out of order");
    await rm(flag);
    await command(directory, group, "kafka-dlq.js", "replay");
    await untilProcessed(group, id);
    await command(directory, group, "kafka-dlq.js", "replay");
    const last = await postEvent(service);
    await untilProcessed(group, last.id);
    expect((await group.processed.ids()).filter((one) => one === id)).toEqual([id]);
  });

  it("is read again when the group's offsets are reset, which prod refuses", async () => {
    await using group = await surroundings.newGroup();
    const { id, message } = newEvent();
    await publish(group, [message]);
    {
      await using service = await startService(directory, group.environment);
      await untilProcessed(group, id);
      service.signal("SIGTERM");
      await service.exited;
    }
    const reset = ["kafka-reset-offsets.js", "--to-earliest"] as const;
    const prod = { ...group, environment: { ...group.environment, ENVIRONMENT: "prod" } };
    await expect(command(directory, prod, ...reset)).rejects.toThrow(/prod/);
    await command(directory, group, ...reset);
    await using _service = await startService(directory, group.environment);
    await until("the event a second time", async () => (await group.processed.ids()).length === 2);
    expect(await group.processed.ids()).toEqual([id, id]);
  });
});

async function publish(group: Group, messages: Message[]): Promise<void> {
  await using publisher = openPublisher(surroundings.kafka.brokers, group.topic);
  await publisher.publish(messages);
}

async function untilProcessed({ processed }: Group, id: string): Promise<void> {
  await until("the event processed", async () => (await processed.ids()).includes(id));
}

function sortedByKey(messages: Message[]): Message[] {
  return messages.toSorted((one, other) => (one.key < other.key ? -1 : 1));
}

/** Runs a command that the service brings, as in its image. */
async function command(
  directory: string,
  { environment }: Pick<Group, "environment">,
  file: string,
  ...args: string[]
): Promise<string> {
  const { all } = await execa(process.execPath, [join("dist", file), ...args], {
    cwd: directory,
    env: environment,
    all: true,
  });
  return all;
}
