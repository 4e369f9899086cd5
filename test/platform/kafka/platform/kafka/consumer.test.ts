import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Membership } from "../../../src/platform/kafka/port.ts";
import { eventually } from "./eventually.ts";
import { MemoryBroker } from "./memory-broker.ts";
import { counted, startConsumer, TOPIC } from "./running-consumer.ts";

const committed = (broker: MemoryBroker, partition: number) =>
  Number(broker.committed.get(`group/${TOPIC}/${partition}`) ?? 0n);

test("events of a partition are handled in order, and committed when all are done", async () => {
  const broker = new MemoryBroker();
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

test("a slow partition holds up no other within a batch", async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  await using consumer = await startConsumer({
    handle: ({ data }) => (data.key === "1" ? gate : undefined),
  });
  await Promise.all([
    consumer.kafka.publish(counted, { key: "1", count: 1 }),
    consumer.kafka.publish(counted, { key: "a", count: 1 }),
    consumer.kafka.publish(counted, { key: "a", count: 2 }),
  ]);
  await eventually(() => expect(consumer.handled).toContain("a/2"));
  expect(consumer.broker.committed.size).toBe(0);
  open();
  await eventually(() => expect(consumer.broker.committed.size).toBe(2));
});

test("a batch is full at 500 records, however long it may wait", async () => {
  await using consumer = await startConsumer({ batchMs: 60_000 });
  const counts = Array.from({ length: 1_000 }, (_, count) => count);
  await Promise.all(counts.map((count) => consumer.kafka.publish(counted, { key: "a", count })));
  await eventually(() => expect(consumer.handled).toHaveLength(1_000));
  const commits = consumer.broker.calls.filter((call) => call.startsWith("commit"));
  expect(commits).toEqual(["commit 499", "commit 999"]);
});

test("a batch that is not full is done and committed when the service stops", async () => {
  const consumer = await startConsumer({ batchMs: 60_000 });
  await consumer.kafka.publish(counted, { key: "a", count: 7 });
  await delay(20);
  expect(consumer.handled).toEqual([]);
  await consumer.work.stop();
  expect(consumer.handled).toEqual(["a/7"]);
  expect(consumer.broker.calls).toEqual(["commit 0", "leave"]);
});

test("after a rebalance what was not begun comes again, once", async () => {
  await using consumer = await startConsumer({ batchMs: 200 });
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await delay(20);
  consumer.broker.rebalance();
  await consumer.kafka.publish(counted, { key: "a", count: 2 });
  await eventually(() => expect(committed(consumer.broker, 1)).toBe(2));
  expect(consumer.handled).toEqual(["a/1", "a/2"]);
});

test("a broker that is down is logged once, and consumed from again when it is back", async () => {
  const broker = new MemoryBroker();
  broker.down.add("*");
  await using consumer = await startConsumer({ broker });
  await eventually(() => expect(consumer.work.check()).rejects.toThrow("* is down"));
  await delay(600);
  broker.down.clear();
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await eventually(() => expect(consumer.handled).toEqual(["a/1"]));
  await eventually(() => expect(consumer.work.check()).resolves.toBeUndefined());
  const messages = consumer.logs.map(({ message }) => message);
  expect(messages.filter((message) => String(message).includes("held up"))).toHaveLength(1);
  expect(messages).toContain("the consumer of events goes on");
});

test("a broker that is back is enough to be well again, though no event comes", async () => {
  const broker = new MemoryBroker();
  broker.down.add("*");
  await using consumer = await startConsumer({ broker });
  await eventually(() => expect(consumer.work.check()).rejects.toThrow("* is down"));
  broker.down.clear();
  await eventually(() => expect(consumer.work.check()).resolves.toBeUndefined());
});

test("a consumer that waits for its broker stops at once", async () => {
  const broker = new MemoryBroker();
  const { promise, resolve } = Promise.withResolvers<void>();
  broker.join = (_group, _topic, signal): Promise<Membership> =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("given up")));
      resolve();
    });
  const consumer = await startConsumer({ broker });
  await promise;
  await consumer.work.stop();
  expect(consumer.logs).toEqual([]);
});

test("a partition whose dead letter cannot be written waits; the others go on", async () => {
  const broker = new MemoryBroker();
  broker.down.add(`${TOPIC}.dlq`);
  const handle = ({ data }: { data: { count: number } }): void => {
    if (data.count === 13) throw new Error("bad luck");
  };
  await using consumer = await startConsumer({ broker, handle });
  for (const count of [12, 13, 14]) await consumer.kafka.publish(counted, { key: "1", count });
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await eventually(() => expect(broker.calls).toContain("rewind"));
  await consumer.kafka.publish(counted, { key: "a", count: 2 });
  await eventually(() => expect(committed(broker, 1)).toBe(2));
  expect(committed(broker, 0)).toBe(1);
  expect(consumer.handled).not.toContain("1/14");

  broker.down.clear();
  await eventually(() => expect(committed(broker, 0)).toBe(3));
  expect(broker.of(`${TOPIC}.dlq`)).toHaveLength(1);
  expect(consumer.handled.at(-1)).toBe("1/14");
  const heldUp = consumer.logs.filter(
    ({ message }) => message === "the consumer of events is held up",
  );
  expect(heldUp).toHaveLength(1);
});

test("a partition that moves away while it is stuck is nobody's trouble here any more", async () => {
  const broker = new MemoryBroker();
  broker.down.add(`${TOPIC}.dlq`);
  const handle = (): void => {
    if (broker.calls.includes("rewind")) broker.rebalance([1]);
    throw new Error("bad luck");
  };
  await using consumer = await startConsumer({ broker, handle });
  await consumer.kafka.publish(counted, { key: "1", count: 1 });
  await eventually(() => expect(consumer.work.check()).rejects.toThrow("is down"));
  await eventually(() => expect(consumer.work.check()).resolves.toBeUndefined());
  const warnings = consumer.logs.filter(({ level }) => level === "warn");
  expect(warnings).toHaveLength(1);
});

test("no more is read than a batch while the handlers are at work", async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const broker = new MemoryBroker();
  await using consumer = await startConsumer({ broker, handle: () => gate });
  const counts = Array.from({ length: 1_500 }, (_, count) => count);
  await Promise.all(counts.map((count) => consumer.kafka.publish(counted, { key: "a", count })));
  await eventually(() => expect(consumer.handled).toHaveLength(1));
  await delay(50);
  expect(broker.given).toBeLessThanOrEqual(500);
  open();
  await eventually(() => expect(committed(broker, 1)).toBe(1_500));
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
    expect(consumer.broker.calls).toEqual(["commit 0", "leave"]);
  });

  test("a commit that takes too long is given up", async () => {
    const broker = new MemoryBroker();
    const { promise: committing, resolve: begun } = Promise.withResolvers<void>();
    broker.onCommit = (abandon) => {
      begun();
      return new Promise((_, reject) => {
        abandon.addEventListener("abort", () => reject(abandon.reason as Error));
      });
    };
    const consumer = await startConsumer({ broker, commitMs: 1 });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    await committing;
    await consumer.work.stop();
    expect(broker.calls).toEqual(["leave"]);
  });

  test("no record is begun when it is late, and what is done is committed", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const handle = async ({ data }: { data: { count: number } }): Promise<void> => {
      if (data.count === 1) await gate;
    };
    const consumer = await startConsumer({ handle, stopMs: 200 });
    const publish = (count: number) => consumer.kafka.publish(counted, { key: "a", count });
    await Promise.all([0, 1, 2].map(publish));
    await eventually(() => expect(consumer.handled).toContain("a/1"));
    const stopped = consumer.work.stop();
    await delay(250);
    open();
    await stopped;
    expect(consumer.handled).toEqual(["a/0", "a/1"]);
    expect(committed(consumer.broker, 1)).toBeGreaterThan(0);
    expect(consumer.broker.calls.at(-1)).toBe("leave");
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
    expect(committed(consumer.broker, 0)).toBe(1);
    expect(committed(consumer.broker, 1)).toBe(0);
    expect(consumer.broker.calls.at(-1)).toBe("leave");
  });

  test("nobody waits until a handler is called again", async () => {
    const handle = (): Promise<void> => Promise.reject(new Error("not yet"));
    const consumer = await startConsumer({ handle, retryMs: 3_600_000, stopMs: 10 });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    await eventually(() => expect(consumer.handled).toHaveLength(1));
    await consumer.work.stop();
    expect(committed(consumer.broker, 1)).toBe(0);
    expect(consumer.broker.of(`${TOPIC}.dlq`)).toEqual([]);
    expect(consumer.logs.filter(({ level }) => level === "error")).toEqual([]);
  });
});
