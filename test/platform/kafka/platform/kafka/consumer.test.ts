import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { onBatch, onEvent } from "../../../src/platform/kafka/delivery.ts";
import type { MemoryBroker } from "../../../src/platform/kafka/memory-broker.ts";
import type { KafkaRecord, Membership } from "../../../src/platform/kafka/port.ts";
import { eventually } from "./eventually.ts";
import { counted, eventOf, newBroker, raw, startConsumer, TOPIC } from "./running-consumer.ts";

const committed = (broker: MemoryBroker, partition: number) =>
  Number(broker.committed.get(`group/${TOPIC}/${partition}`) ?? 0n);

const HOUR_MS = 3_600_000;

test("events of a partition are handled in order, and committed", async () => {
  const broker = newBroker();
  await using consumer = await startConsumer({ broker, handle: () => delay(Math.random() * 4) });
  for (let count = 0; count < 5; count += 1) {
    await consumer.kafka.publish(counted, { key: "1", count });
    await consumer.kafka.publish(counted, { key: "a", count });
  }
  await eventually(() => expect([committed(broker, 0), committed(broker, 1)]).toEqual([5, 5]));
  for (const key of ["1", "a"]) {
    const order = consumer.handled.filter((event) => event.startsWith(key));
    expect(order).toEqual([0, 1, 2, 3, 4].map((count) => `${key}/${count}`));
  }
  expect(await consumer.metric("kafka_consumed_records_total", { outcome: "processed" })).toBe(10);
});

test("an event is handled as it comes, and committed when nothing else does", async () => {
  await using consumer = await startConsumer({ batchMs: HOUR_MS });
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await eventually(() => expect(consumer.handled).toEqual(["a/1"]));
  await eventually(() => expect(committed(consumer.broker, 1)).toBe(1));
});

test("a handler that never returns holds up its own partition only", async () => {
  await using consumer = await startConsumer({
    handle: ({ data }) => (data.key === "1" ? new Promise(() => {}) : undefined),
    stopMs: 10,
    batchMs: 20,
  });
  await consumer.kafka.publish(counted, { key: "1", count: 1 });
  for (let count = 1; count <= 3; count += 1) {
    await consumer.kafka.publish(counted, { key: "a", count });
    await eventually(() => expect(committed(consumer.broker, 1)).toBe(count));
  }
  expect(committed(consumer.broker, 0)).toBe(0);
});

test("a handler that does not end in time is called again, then its event is a dead letter", async () => {
  const signals: AbortSignal[] = [];
  const broker = newBroker();
  await using consumer = await startConsumer({
    broker,
    handle: ({ data }, { signal }) => {
      signals.push(signal);
      return data.count === 1 ? new Promise(() => {}) : undefined;
    },
    eventTimeoutMs: 30,
  });
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await consumer.kafka.publish(counted, { key: "a", count: 2 });
  await eventually(() => expect(consumer.handled.at(-1)).toBe("a/2"));
  expect(consumer.handled).toHaveLength(5);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true, true, false]);
  const [letter] = broker.of(`${TOPIC}.dlq`);
  const headers = letter!.headerEntries.map(([name, value]) => `${String(name)}: ${String(value)}`);
  expect(headers).toContain("x-dlq-error: TimeoutError: the handler has not ended within 30 ms");
});

test("a record that takes longer than it may makes the work unhealthy", async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  await using consumer = await startConsumer({ handle: () => gate, eventTimeoutMs: 400 });
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await eventually(() => expect(consumer.handled).not.toEqual([]));
  await expect(consumer.work.check()).resolves.toBeUndefined();
  await eventually(() =>
    expect(consumer.work.check()).rejects.toThrow("events/1 is being handled"),
  );
  open();
  await eventually(() => expect(consumer.work.check()).resolves.toBeUndefined());
});

test("retries of an event hold up its own partition only", async () => {
  const handle = ({ data }: { data: { key: string } }): void => {
    if (data.key === "1") throw new Error("not yet");
  };
  await using consumer = await startConsumer({ handle, retryMs: HOUR_MS, stopMs: 10 });
  await consumer.kafka.publish(counted, { key: "1", count: 1 });
  await eventually(() => expect(consumer.handled).toEqual(["1/1"]));
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await eventually(() => expect(committed(consumer.broker, 1)).toBe(1));
});

test("what readers do not get is committed, too, and what follows is read", async () => {
  const broker = newBroker();
  const join = broker.join.bind(broker);
  broker.join = async (options, reader) => {
    const membership = await join(options, reader);
    // As after the marker of a transaction at offset 0.
    reader.onRecords(1, [], 1n);
    await delay(50);
    const record = { ...eventRecord(), partition: 1, offset: 1n };
    reader.onRecords(1, [record], 3n);
    return membership;
  };
  await using consumer = await startConsumer({ broker });
  await eventually(() => expect(consumer.handled).toEqual(["a/1"]));
  await eventually(() => expect(committed(broker, 1)).toBe(3));
});

function eventRecord(): KafkaRecord {
  const source = newBroker();
  source.append(raw(eventOf({ key: "a", count: 1 })));
  return source.records[0]!;
}

test("under load, offsets are committed every 500 records", async () => {
  const broker = newBroker();
  for (let count = 0; count < 1_200; count += 1) broker.append(raw(eventOf({ key: "a", count })));
  await using consumer = await startConsumer({
    broker,
    batchMs: HOUR_MS,
    handle: () => new Promise((resolve) => void setImmediate(resolve)),
  });
  await eventually(() => expect(committed(broker, 1)).toBe(1_200));
  expect(consumer.handled).toHaveLength(1_200);
  const commits = broker.calls.filter((call) => call.startsWith("commit"));
  expect(commits.length).toBeGreaterThanOrEqual(3);
  expect(commits.length).toBeLessThan(8);
});

test("no more is read ahead than a partition's queue takes", async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const broker = newBroker();
  for (let count = 0; count < 3_000; count += 1) broker.append(raw(eventOf({ key: "a", count })));
  let read = 0;
  const join = broker.join.bind(broker);
  broker.join = (options, reader) =>
    join(options, {
      onRebalance: (change) => reader.onRebalance(change),
      onGap: (...gap) => reader.onGap(...gap),
      onRecords: (partition, records, next) => {
        read += records.length;
        reader.onRecords(partition, records, next);
      },
    });
  await using consumer = await startConsumer({ broker, handle: () => gate });
  await eventually(() => expect(consumer.handled).toHaveLength(1));
  await delay(50);
  expect(read).toBeLessThanOrEqual(700);
  open();
  await eventually(() => expect(committed(broker, 1)).toBe(3_000));
});

describe("after a rebalance", () => {
  test("a partition that stays goes on where it is", async () => {
    await using consumer = await startConsumer({ batchMs: HOUR_MS });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    consumer.broker.rebalance([0, 1]);
    await consumer.kafka.publish(counted, { key: "a", count: 2 });
    await eventually(() => expect(committed(consumer.broker, 1)).toBe(2));
    expect(consumer.handled).toEqual(["a/1", "a/2"]);
    expect(await consumer.metric("kafka_consumer_rebalances_total")).toBe(2);
  });

  test("a partition that is gone is not committed, and comes again when it is back", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const broker = newBroker();
    await using consumer = await startConsumer({ broker, handle: () => gate });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    await eventually(() => expect(consumer.handled).toEqual(["a/1"]));
    broker.rebalance([0]);
    open();
    await delay(60);
    expect(committed(broker, 1)).toBe(0);
    broker.rebalance([0, 1]);
    await eventually(() => expect(committed(broker, 1)).toBe(1));
    expect(consumer.handled).toEqual(["a/1", "a/1"]);
  });

  test("two members share the partitions, and the rest takes over from one that leaves", async () => {
    const broker = newBroker();
    await using first = await startConsumer({ broker });
    const second = await startConsumer({ broker });
    const publish = (count: number) =>
      Promise.all(["1", "a"].map((key) => first.kafka.publish(counted, { key, count })));
    await publish(1);
    await eventually(() =>
      expect([...first.handled, ...second.handled].toSorted()).toEqual(["1/1", "a/1"]),
    );
    expect([first.handled.length, second.handled.length]).toEqual([1, 1]);
    await eventually(() => expect([committed(broker, 0), committed(broker, 1)]).toEqual([1, 1]));
    await second.work.stop();
    await publish(2);
    await eventually(() => expect(first.handled).toHaveLength(3));
  });
});

test("a broker that is down is logged once, and consumed from again when it is back", async () => {
  const broker = newBroker();
  broker.down.add("*");
  await using consumer = await startConsumer({ broker });
  await eventually(() => expect(consumer.work.check()).rejects.toThrow("* is down"));
  await delay(600);
  broker.down.clear();
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await eventually(() => expect(consumer.handled).toEqual(["a/1"]));
  await expect(consumer.work.check()).resolves.toBeUndefined();
  const messages = consumer.logs.map(({ message }) => message);
  expect(messages.filter((text) => text === "the consumer of events stalled")).toHaveLength(1);
  expect(messages).toContain("the consumer of events recovered");
});

test("a consumer that waits for its broker stops at once", async () => {
  const broker = newBroker();
  const { promise, resolve } = Promise.withResolvers<void>();
  broker.join = ({ signal }): Promise<Membership> =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      resolve();
    });
  const consumer = await startConsumer({ broker });
  await promise;
  await consumer.work.stop();
  expect(consumer.logs).toEqual([]);
});

test("a partition whose dead letter cannot be written waits; the others go on", async () => {
  const broker = newBroker();
  broker.down.add(`${TOPIC}.dlq`);
  const handle = ({ data }: { data: { count: number } }): void => {
    if (data.count === 13) throw new Error("bad luck");
  };
  await using consumer = await startConsumer({ broker, handle });
  for (const count of [12, 13, 14]) await consumer.kafka.publish(counted, { key: "1", count });
  await eventually(() => expect(consumer.work.check()).rejects.toThrow("events.dlq is down"));
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await eventually(() => expect([committed(broker, 0), committed(broker, 1)]).toEqual([1, 1]));
  expect(consumer.handled).not.toContain("1/14");

  broker.down.clear();
  await eventually(() => expect(committed(broker, 0)).toBe(3));
  expect(broker.of(`${TOPIC}.dlq`)).toHaveLength(1);
  expect(consumer.handled.at(-1)).toBe("1/14");
  const messages = consumer.logs.map(({ message }) => message);
  expect(messages).toContain("the dead letter topic cannot be used");
});

test("a partition that moves away while it waits is no longer this consumer's trouble", async () => {
  const broker = newBroker();
  broker.down.add(`${TOPIC}.dlq`);
  const handle = (): void => {
    throw new Error("bad luck");
  };
  await using consumer = await startConsumer({ broker, handle });
  await consumer.kafka.publish(counted, { key: "1", count: 1 });
  await eventually(() => expect(consumer.work.check()).rejects.toThrow("is down"));
  broker.rebalance([1]);
  await expect(consumer.work.check()).resolves.toBeUndefined();
});

describe("a batch handler", () => {
  const batches: string[][] = [];
  const start = (handle: (keys: string[]) => void, broker = newBroker(), maxWaitMs = 50) => {
    batches.length = 0;
    const handleBatch = (events: { data: { key: string; count: number } }[]): void => {
      const names = events.map(({ data }) => `${data.key}/${data.count}`);
      batches.push(names);
      handle(names);
    };
    const handlers = [onBatch(counted, handleBatch, { maxEvents: 3, maxWaitMs })];
    return startConsumer({ broker, subscriptions: [{ topic: TOPIC, handlers }] });
  };

  test("gets as many events as it wants, in order, and the rest after a while", async () => {
    const broker = newBroker();
    for (let count = 1; count <= 4; count += 1) broker.append(raw(eventOf({ key: "a", count })));
    await using consumer = await start(() => {}, broker);
    await eventually(() => expect(committed(broker, 1)).toBe(4));
    expect(batches).toEqual([["a/1", "a/2", "a/3"], ["a/4"]]);
    expect(await consumer.metric("kafka_consumed_records_total", { outcome: "processed" })).toBe(4);
  });

  test("that fails gets its events one by one, and only the bad one is a dead letter", async () => {
    const broker = newBroker();
    for (let count = 1; count <= 3; count += 1) broker.append(raw(eventOf({ key: "a", count })));
    await using _consumer = await start((names) => {
      if (names.includes("a/2")) throw new Error("bad luck");
    }, broker);
    await eventually(() => expect(committed(broker, 1)).toBe(3));
    expect(batches.map(({ length }) => length)).toEqual([3, 3, 3, 3, 1, 1, 1]);
    expect(broker.of(`${TOPIC}.dlq`).map(({ value }) => value!.toString())).toEqual([
      expect.stringContaining('"count":2'),
    ]);
  });

  test("gets the batch that has begun when the service stops", async () => {
    const broker = newBroker();
    broker.append(raw(eventOf({ key: "a", count: 1 })));
    const consumer = await start(() => {}, broker, HOUR_MS);
    await delay(50);
    expect(batches).toEqual([]);
    await consumer.work.stop();
    expect(batches).toEqual([["a/1"]]);
    expect(committed(broker, 1)).toBe(1);
  });
});

describe("several topics", () => {
  test("have their own handlers, groups and dead letters", async () => {
    const broker = newBroker();
    const seen: string[] = [];
    const see = (name: string) => onEvent(counted, ({ data }) => void seen.push(name + data.count));
    await using consumer = await startConsumer({
      broker,
      subscriptions: [
        { topic: TOPIC, handlers: [see("one/")] },
        { topic: "other", handlers: [see("two/")], unknownTypes: "ignore" },
        { topic: "unread", handlers: [] },
      ],
    });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    await consumer.kafka.publish(counted, { key: "a", count: 2 }, { topic: "other" });
    await consumer.kafka.publish(counted, { key: "a", count: 3 }, { topic: "unread" });
    broker.append(raw('{"type":"strange"}'));
    broker.append({ ...raw('{"type":"strange"}'), topic: "other" });
    await eventually(() => expect(broker.committed.get("group-other/other/1")).toBe(2n));
    await eventually(() => expect(broker.committed.get("group/events/1")).toBe(2n));
    expect(seen.toSorted()).toEqual(["one/1", "two/2"]);
    expect([broker.of("events.dlq").length, broker.of("other.dlq").length]).toEqual([1, 0]);
    const ignored = { topic: "other", outcome: "ignored" };
    expect(await consumer.metric("kafka_consumed_records_total", ignored)).toBe(1);
  });

  test("may not be the same one twice", async () => {
    const handlers = [onEvent(counted, () => {})];
    const twice = { topic: TOPIC, handlers };
    await expect(startConsumer({ subscriptions: [twice, twice] })).rejects.toThrow(
      "the topic events is consumed twice",
    );
  });
});

describe("when the service stops", () => {
  test("what a slow handler has done is committed, however long it took", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const consumer = await startConsumer({ handle: () => gate, commitMs: 10 });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    await eventually(() => expect(consumer.handled).toEqual(["a/1"]));
    const stopped = consumer.work.stop();
    await delay(50);
    open();
    await stopped;
    expect(consumer.broker.calls).toEqual(["commit 1:1", "leave"]);
  });

  test("a commit that takes too long is abandoned", async () => {
    const broker = newBroker();
    const { promise: committing, resolve: begun } = Promise.withResolvers<void>();
    broker.onCommit = () => {
      begun();
      return new Promise(() => {});
    };
    const consumer = await startConsumer({ broker, commitMs: 1 });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    await committing;
    await consumer.work.stop();
    expect(broker.calls).toEqual(["leave"]);
  });

  test("no further record is begun, and what is done is committed", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const broker = newBroker();
    for (const count of [0, 1, 2]) broker.append(raw(eventOf({ key: "a", count })));
    const handle = async ({ data }: { data: { count: number } }): Promise<void> => {
      if (data.count === 1) await gate;
    };
    const consumer = await startConsumer({ broker, handle });
    await eventually(() => expect(consumer.handled).toContain("a/1"));
    const stopped = consumer.work.stop();
    open();
    await stopped;
    expect(consumer.handled).toEqual(["a/0", "a/1"]);
    expect(committed(broker, 1)).toBe(2);
    expect(broker.calls.at(-1)).toBe("leave");
  });

  test("a handler that never ends is left alone, and its event comes again", async () => {
    const handle = ({ data }: { data: { key: string } }): Promise<void> | void =>
      data.key === "a" ? new Promise(() => {}) : undefined;
    const consumer = await startConsumer({ handle, stopMs: 10 });
    await Promise.all([
      consumer.kafka.publish(counted, { key: "1", count: 1 }),
      consumer.kafka.publish(counted, { key: "a", count: 1 }),
    ]);
    await eventually(() => expect(consumer.handled).toHaveLength(2));
    await consumer.work.stop();
    expect([committed(consumer.broker, 0), committed(consumer.broker, 1)]).toEqual([1, 0]);
    expect(consumer.broker.calls.at(-1)).toBe("leave");
  });

  test("a retry is not waited for", async () => {
    const handle = (): Promise<void> => Promise.reject(new Error("not yet"));
    const consumer = await startConsumer({ handle, retryMs: HOUR_MS, stopMs: 10 });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    await eventually(() => expect(consumer.handled).toHaveLength(1));
    await consumer.work.stop();
    expect(committed(consumer.broker, 1)).toBe(0);
    expect(consumer.broker.of(`${TOPIC}.dlq`)).toEqual([]);
    expect(consumer.logs.filter(({ level }) => level === "error")).toEqual([]);
  });
});
