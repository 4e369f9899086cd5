import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type { Membership } from "../../../src/platform/kafka/port.ts";
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
  await vi.waitFor(() => expect([committed(broker, 0), committed(broker, 1)]).toEqual([5, 5]));
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
  await vi.waitFor(() => expect(consumer.handled).toContain("a/2"));
  expect(consumer.broker.committed.size).toBe(0);
  open();
  await vi.waitFor(() => expect(consumer.broker.committed.size).toBe(2));
});

test("a batch is full at 500 records, however long it may wait", async () => {
  await using consumer = await startConsumer({ batchMs: 60_000 });
  const counts = Array.from({ length: 1_000 }, (_, count) => count);
  await Promise.all(counts.map((count) => consumer.kafka.publish(counted, { key: "a", count })));
  await vi.waitFor(() => expect(consumer.handled).toHaveLength(1_000));
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
  await vi.waitFor(() => expect(committed(consumer.broker, 1)).toBe(2));
  expect(consumer.handled).toEqual(["a/1", "a/2"]);
});

test("a broker that is down is logged once, and consumed from again when it is back", async () => {
  const broker = new MemoryBroker();
  broker.down.add("*");
  await using consumer = await startConsumer({ broker });
  await vi.waitFor(() => expect(consumer.work.check()).rejects.toThrow("* is down"));
  await delay(600);
  broker.down.clear();
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await vi.waitFor(() => expect(consumer.handled).toEqual(["a/1"]), { timeout: 10_000 });
  await vi.waitFor(() => expect(consumer.work.check()).resolves.toBeUndefined());
  const messages = consumer.logs.map(({ message }) => message);
  expect(messages.filter((message) => String(message).includes("held up"))).toHaveLength(1);
  expect(messages).toContain("the consumer of events goes on");
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
  await vi.waitFor(() => expect(broker.calls).toContain("rewind"));
  await consumer.kafka.publish(counted, { key: "a", count: 2 });
  await vi.waitFor(() => expect(committed(broker, 1)).toBe(2), { timeout: 10_000 });
  expect(committed(broker, 0)).toBe(1);
  expect(consumer.handled).not.toContain("1/14");

  broker.down.clear();
  await vi.waitFor(() => expect(committed(broker, 0)).toBe(3), { timeout: 10_000 });
  expect(broker.of(`${TOPIC}.dlq`)).toHaveLength(1);
  expect(consumer.handled.at(-1)).toBe("1/14");
  const heldUp = consumer.logs.filter(
    ({ message }) => message === "the consumer of events is held up",
  );
  expect(heldUp).toHaveLength(1);
});
