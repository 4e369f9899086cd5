import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { newEvent, newEvents, postEvent } from "./events.ts";
import {
  addPartitions,
  createTopic,
  createTopics,
  deleteRecords,
  deleteTopic,
  lagOf,
  openPublisher,
  read,
} from "./kafka-client.ts";
import { compare } from "./processed.ts";
import { type MemberOptions, runPython, startMember } from "./python.ts";
import { type Service, startService } from "./service/run.ts";
import { type Group, startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

// Nothing of this depends on the framework.
const [[, directory]] = Object.entries(inject("services")) as [[string, string]];
const EVENTS = 120;
const LATENCY_TRIES = 3;
const LATENCY_EVENTS = 50;
// Far from the five seconds of a batch that is waited for, however busy the machine is.
const LATENCY_MS = 1_000;

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

// Beside each other, as most of it is waiting, and each has a topic and a group of its own.
describe.concurrent("events of other clients", () => {
  it("are taken with any time that RFC 3339 knows", async () => {
    await using group = await surroundings.newGroup();
    await using _service = await startService(directory, group.environment);
    const ids = newIds(9);
    await runPython("produce.py", "plain", surroundings.kafka.brokers, group.topic, ...ids);
    await untilProcessed(group, ids);
    expect(compare(ids, await group.processed.ids())).toEqual({ missing: [], duplicates: 0 });
  });

  it("in transactions are seen when they are committed, and leave no lag", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    const ids = newIds(6);
    const { brokers } = surroundings.kafka;
    await runPython("produce.py", "transactions", brokers, group.topic, ...ids);
    await untilProcessed(group, ids);
    await until("no lag", async () => (await lagOf(brokers, group.topic, group.name)) === 0);
    expect((await group.processed.ids()).toSorted()).toEqual(ids.toSorted());
    await untilMetric(service, "kafka_consumer_lag_records", 0, 6);
  });
});

describe.concurrent("a group that is shared", () => {
  const clients: Omit<MemberOptions, "brokers" | "group" | "topic">[] = [
    { client: "aiokafka" },
    { client: "confluent" },
    { client: "confluent", strategy: "roundrobin" },
    { client: "confluent", strategy: "cooperative-sticky" },
  ];

  it.each(clients)("with $client $strategy has each event handled once", async (client) => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await untilMetric(service, "kafka_consumer_assigned_partitions", 6);
    await using member = await joined(group, client, group.topic);
    await untilMetric(service, "kafka_consumer_assigned_partitions", 3);
    const ids = await publish(group.topic, EVENTS);
    await until("all events at one of the two", async () => {
      const seen = [...(await group.processed.ids()), ...member.keys()];
      return compare(ids, seen).missing.length === 0;
    });
    expect(member.keys().length).toBeGreaterThan(0);
    expect((await group.processed.ids()).length).toBeGreaterThan(0);
  });

  it("leaves members of another topic their partitions", async () => {
    const other = await createTopic(surroundings.kafka.brokers);
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await untilMetric(service, "kafka_consumer_assigned_partitions", 6);
    await using member = await joined(group, { client: "aiokafka" }, other);
    const ids = await publish(group.topic, EVENTS);
    const others = await publish(other, EVENTS);
    await untilProcessed(group, ids);
    await until("the other topic read", () => compare(others, member.keys()).missing.length === 0);
    expect(member.failure()).toBeUndefined();
  });
});

describe.concurrent("a topic", () => {
  it("that gets partitions is read in all of them within a minute", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await untilMetric(service, "kafka_consumer_assigned_partitions", 6);
    await addPartitions(surroundings.kafka.brokers, group.topic, 12);
    const start = performance.now();
    const ids = await publish(group.topic, EVENTS);
    await untilProcessed(group, ids);
    const seconds = Math.round((performance.now() - start) / 1_000);
    process.stdout.write(`partitions were added, and read after ${seconds} s\n`);
    expect(seconds).toBeLessThan(60);
    await untilMetric(service, "kafka_consumer_lag_records", 0, 12);
  });

  it("that is deleted is missed, and read from its beginning when it is created again", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await untilProcessed(group, await publish(group.topic, EVENTS));
    await deleteTopic(surroundings.kafka.brokers, group.topic);
    await until("unhealthy work", async () => (await service.backgroundHealth()) === "unhealthy");
    const told = await service.lines();
    expect(told.map(({ message }) => message)).toContain(`the consumer of ${group.topic} stalled`);
    await createTopics(surroundings.kafka.brokers, group.topic);
    await untilProcessed(group, await publish(group.topic, EVENTS));
    await until("healthy work", async () => (await service.backgroundHealth()) === "healthy");
  });

  it("whose records are deleted unread says how many were lost, and goes on", async () => {
    await using group = await surroundings.newGroup();
    {
      await using service = await startService(directory, group.environment);
      await untilProcessed(group, await publish(group.topic, EVENTS));
      service.signal("SIGTERM");
      await service.exited;
    }
    await publish(group.topic, EVENTS);
    await deleteRecords(surroundings.kafka.brokers, group.topic);
    const ids = await publish(group.topic, EVENTS);
    await using service = await startService(directory, group.environment);
    await untilProcessed(group, ids);
    await untilMetric(service, "kafka_consumer_skipped_records_total", EVENTS);
    const messages = (await service.lines()).map(({ message }) => message);
    expect(messages).toContain("records were deleted before they were read");
  });

  it("may be consumed besides others, and published to", async () => {
    const { brokers } = surroundings.kafka;
    const [SECOND_TOPIC, BULK_TOPIC] = [await createTopic(brokers), await createTopic(brokers)];
    await using group = await surroundings.newGroup();
    const environment = { ...group.environment, SECOND_TOPIC, BULK_TOPIC };
    await using service = await startService(directory, environment);
    await service.untilReady();
    const { id } = await postEvent(service, { retailer: "Forward" });
    await untilProcessed(group, [id, `second:${id}`]);
    const bulk = await publish(BULK_TOPIC, EVENTS);
    await until("batches of all", async () => {
      const sizes = (await group.processed.ids()).flatMap(
        (line) => /^bulk:(\d+)$/.exec(line)?.[1] ?? [],
      );
      return sizes.reduce((sum, size) => sum + Number(size), 0) === bulk.length;
    });
  });
});

describe.concurrent("an event", () => {
  // Alone, because its latency is measured.
  it("is handled at once", { concurrent: false }, async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, group.environment);
    await service.untilReady();
    const medians: number[] = [];
    do medians.push(await medianLatency(service, group));
    while (Math.min(...medians) > LATENCY_MS && medians.length < LATENCY_TRIES);
    process.stdout.write(
      `from request to handler: ${medians.map((ms) => ms.toFixed(1)).join(", ")} ms\n`,
    );
    expect(Math.min(...medians)).toBeLessThan(LATENCY_MS);
  });

  it("whose handler hangs ends as a dead letter, and holds up no other partition", async () => {
    await using group = await surroundings.newGroup();
    const environment = { ...group.environment, KAFKA_EVENT_TIMEOUT: "3" };
    await using service = await startService(directory, environment);
    await service.untilReady();
    await writeFile(`${group.processed.path}.hanging`, "");
    const { id } = await postEvent(service, { retailer: "Hanging" });
    const others = newEvents(EVENTS);
    await publishEvents(group.topic, others);
    await until(
      "events of other partitions",
      async () => (await group.processed.ids()).length > EVENTS / 2,
    );
    await until("unhealthy work", async () => (await service.backgroundHealth()) === "unhealthy");
    const [letter] = await read(surroundings.kafka.brokers, `${group.topic}.dlq`, 1);
    expect(letter).toMatchObject({
      key: id,
      headers: { "x-dlq-error": expect.stringContaining("has not ended within 3000 ms") },
    });
    await untilProcessed(
      group,
      others.map((event) => event.id),
    );
    await rm(`${group.processed.path}.hanging`);
  });

  it("that is too large for its dead letter topic goes there without its value", async () => {
    const topic = `events-${randomUUID()}`;
    await createTopics(surroundings.kafka.brokers, topic);
    await createTopics(surroundings.kafka.brokers, `${topic}.dlq`, { "max.message.bytes": "2000" });
    await using group = await surroundings.newGroup(topic);
    await using _service = await startService(directory, group.environment);
    const value = Buffer.from(Array.from({ length: 40 }, () => randomUUID()).join(""));
    const key = randomUUID();
    const after = newEvent();
    await using publisher = openPublisher(surroundings.kafka.brokers, topic);
    const large = Array.from({ length: 100 }, () => value);
    await publisher.publish([
      { key, value: Buffer.concat(large), headers: { "x-request-id": "seen-before" } },
      { ...after.message, key },
    ]);
    await untilProcessed(group, [after.id]);
    const [letter] = await read(surroundings.kafka.brokers, `${topic}.dlq`, 1);
    expect(letter).toMatchObject({
      key,
      bytes: undefined,
      headers: {
        "x-request-id": "seen-before",
        "x-dlq-omitted-bytes": String(100 * value.length),
        "x-dlq-topic": topic,
        "x-dlq-offset": "0",
      },
    });
  });
});

function newIds(count: number): string[] {
  return Array.from({ length: count }, () => randomUUID());
}

async function publish(topic: string, count: number): Promise<string[]> {
  return publishEvents(topic, newEvents(count));
}

async function publishEvents(
  topic: string,
  events: ReturnType<typeof newEvents>,
): Promise<string[]> {
  await using publisher = openPublisher(surroundings.kafka.brokers, topic);
  await publisher.publish(events.map(({ message }) => message));
  return events.map(({ id }) => id);
}

async function untilProcessed({ processed }: Group, ids: string[]): Promise<void> {
  await until(`${ids.length} events processed`, async () => {
    return compare(ids, await processed.ids()).missing.length === 0;
  });
}

async function joined(
  { name }: Group,
  client: Omit<MemberOptions, "brokers" | "group" | "topic">,
  topic: string,
) {
  const { brokers } = surroundings.kafka;
  const member = await startMember({ ...client, brokers, group: name, topic });
  await until("another member", () => member.hasJoined() || member.failure() !== undefined);
  return member;
}

/** Waits until the samples of a metric add up to a value. */
async function untilMetric(
  { metricsUrl }: Service,
  name: string,
  value: number,
  series?: number,
): Promise<void> {
  await until(`${name} ${value}`, async () => {
    const text = await (await fetch(`${metricsUrl}/metrics`)).text();
    const samples = text.split("\n").filter((line) => line.startsWith(`${name}{`));
    const sum = samples.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
    return samples.length >= (series ?? 1) && sum === value;
  });
}

async function medianLatency(service: Service, group: Group): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < LATENCY_EVENTS; index += 1) {
    const start = performance.now();
    const { id } = await postEvent(service);
    while (!(await group.processed.ids()).includes(id)) await delay(1);
    times.push(performance.now() - start);
  }
  return times.toSorted((one, other) => one - other)[LATENCY_EVENTS / 2] ?? Infinity;
}
