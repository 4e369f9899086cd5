import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { newEvent, newEvents, postEvent } from "./events.ts";
import {
  createTopics,
  type Message,
  type OddMessage,
  openPublisher,
  read,
} from "./kafka-client.ts";
import { compare } from "./processed.ts";
import { type Service, startService } from "./service/run.ts";
import { type Group, startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

// Beside each other, as most of it is waiting, and each has a topic and a group of its own.
const services = Object.entries(inject("services"));
describe.concurrent.each(services)("%s: an event", (_name, directory) => {
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
        bytes: Buffer.from(value),
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

  it("may stand beside whatever other clients write", async () => {
    await using group = await surroundings.newGroup();
    await using _service = await startService(directory, group.environment);
    const key = randomUUID();
    const good = newEvent();
    const bytes = Buffer.from([0xff, 0xfe, 0x00]);
    // All in one partition, so that the last one is reached only past the others.
    const odd: OddMessage[] = [
      { key, value: undefined, headers: {} },
      { key, value: bytes, headers: { nothing: undefined } },
      { ...good.message, key, headers: { nothing: undefined } },
    ];
    const last = newEvent();
    await using publisher = openPublisher(surroundings.kafka.brokers, group.topic);
    await publisher.publish(odd);
    // More than the broker accepts, unless it is compressed.
    await publisher.publish([{ key, value: "a".repeat(3_000_000), headers: {} }], "gzip");
    await publisher.publish([{ ...last.message, key }]);
    await untilProcessed(group, last.id);
    expect(await group.processed.ids()).toEqual([good.id, last.id]);
    const letters = await read(surroundings.kafka.brokers, `${group.topic}.dlq`, 2);
    expect(letters.map((letter) => letter.bytes?.length)).toEqual([3, 3_000_000]);
    expect(letters[0]?.bytes).toEqual(bytes);
  });

  it("is counted", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await service.untilReady();
    const flag = `${group.processed.path}.broken`;
    await writeFile(flag, "");
    await postEvent(service, { retailer: "Broken" });
    const { id } = await postEvent(service);
    await untilProcessed(group, id);
    await read(surroundings.kafka.brokers, `${group.topic}.dlq`, 1);
    await rm(flag);
    const expected = [
      ["kafka_published_records_total", 'outcome="acknowledged"', 2],
      ["kafka_consumed_records_total", 'outcome="processed"', 1],
      ["kafka_consumed_records_total", 'outcome="dead_letter"', 1],
      ["kafka_dead_letters_total", 'reason="handler_failed"', 1],
      ["kafka_consumer_retries_total", "", 3],
      ["kafka_consumer_batch_size_records_sum", "", 2],
    ] as const;
    const topic = `topic="${group.topic}"`;
    // The processes hand them over now and then, and the lag is asked for every five seconds.
    await until("all of it in the metrics", async () => {
      const samples = await samplesOf(service);
      const sum = (name: string, label: string): number =>
        samples
          .filter((sample) => [name, topic, label].every((part) => sample.text.includes(part)))
          .reduce((total, { value }) => total + value, 0);
      const lags = samples.filter(({ text }) => text.startsWith("kafka_consumer_lag_records{"));
      return (
        expected.every(([name, label, value]) => sum(`${name}{`, label) === value) &&
        sum("kafka_consumer_batch_duration_seconds_count{", "") >= 1 &&
        sum("kafka_publish_duration_seconds_count{", "") >= 2 &&
        lags.length === 6 &&
        lags.every(({ value }) => value === 0)
      );
    });
  });

  it("that cannot even be a dead letter waits, with its partition, and the others go on", async () => {
    const topic = `events-${randomUUID()}`;
    await createTopics(surroundings.kafka.brokers, topic);
    await using group = await surroundings.newGroup(topic);
    await using service = await startService(directory, group.environment);
    const key = randomUUID();
    const held = newEvent();
    const others = newEvents(60);
    await publish(group, [
      { key, value: "{", headers: {} },
      { ...held.message, key },
      ...others.map(({ message }) => message),
    ]);
    await until(
      "events of other partitions",
      async () => (await group.processed.ids()).length > 20,
    );
    await until("the partition that stands, in the log", async () => {
      const lines = await service.lines();
      return lines.some(({ message }) => message === `the consumer of ${topic} stalled`);
    });
    expect(await group.processed.ids()).not.toContain(held.id);
    await createTopics(surroundings.kafka.brokers, `${topic}.dlq`);
    await until("all of them", async () => {
      const ids = [held, ...others].map(({ id }) => id);
      return compare(ids, await group.processed.ids()).missing.length === 0;
    });
    expect(await read(surroundings.kafka.brokers, `${topic}.dlq`, 1)).toMatchObject([{ key }]);
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

/** What the service tells Prometheus. */
async function samplesOf({ metricsUrl }: Service): Promise<{ text: string; value: number }[]> {
  const text = await (await fetch(`${metricsUrl}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => ({ text: line, value: Number(line.split(" ").at(-1)) }));
}

async function untilProcessed({ processed }: Group, id: string): Promise<void> {
  await until("the event processed", async () => (await processed.ids()).includes(id));
}

function sortedByKey<Some extends Message>(messages: Some[]): Some[] {
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
