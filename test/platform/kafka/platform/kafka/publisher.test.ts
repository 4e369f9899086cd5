import { Registry } from "@prometheus-io/client";
import { expect, test } from "vitest";
import { z } from "zod";
import { runInRequest } from "../../../src/platform/context.ts";
import { compileEvent, defineEvent, type EventCodec } from "../../../src/platform/kafka/events.ts";
import { createKafkaMetrics } from "../../../src/platform/kafka/metrics.ts";
import type { KafkaPort } from "../../../src/platform/kafka/port.ts";
import { createPublisher } from "../../../src/platform/kafka/publisher.ts";
import { textHeaders } from "../../../src/platform/kafka/record-context.ts";
import { MemoryBroker } from "./memory-broker.ts";
import { counted } from "./running-consumer.ts";

function publisherOn(port: KafkaPort, deadlineMs?: number) {
  return createPublisher(port, createKafkaMetrics(new Registry()), deadlineMs);
}

test("an event is JSON with its id, type, time and data, and has the ids of the request", async () => {
  const broker = new MemoryBroker();
  const request = { requestId: "r", correlationId: "c", traceId: "", spanId: "" };
  const id = await runInRequest(request, () =>
    publisherOn(broker).publish({ topic: "topic" }, counted, { key: "k", count: 1 }),
  );
  const [record] = broker.of("topic");
  expect(JSON.parse(record!.value!.toString())).toEqual({
    id,
    type: "counted",
    time: expect.stringMatching(/Z$/),
    data: { key: "k", count: 1 },
  });
  expect(record!.key!.toString()).toBe("k");
  expect(textHeaders(record!)).toMatchObject({ "x-request-id": "r", "x-correlation-id": "c" });
});

test("single events are sent together, and in order", async () => {
  const broker = new MemoryBroker();
  const publisher = publisherOn(broker);
  const counts = Array.from({ length: 300 }, (_, count) => count);
  await Promise.all(
    counts.map((count) => publisher.publish({ topic: "topic" }, counted, { key: "k", count })),
  );
  expect(broker.sends).toEqual([300]);
  const sent = broker.of("topic").map(({ value }) => JSON.parse(value!.toString()).data.count);
  expect(sent).toEqual(counts);
});

test("no batch is larger than what a broker accepts", async () => {
  const broker = new MemoryBroker();
  const publisher = publisherOn(broker);
  const key = "k".repeat(200_000);
  await Promise.all(
    [1, 2, 3, 4, 5].map((count) => publisher.publish({ topic: "topic" }, counted, { key, count })),
  );
  expect(broker.sends).toEqual([2, 2, 1]);
});

test("a topic that says nothing holds up no record for another", async () => {
  const broker = new MemoryBroker();
  broker.silent.add("silent");
  const publisher = publisherOn(broker, 3_600_000);
  const publish = (topic: string) => publisher.publish({ topic }, counted, { key: "k", count: 1 });
  void publish("silent");
  await publish("open");
  void publish("silent");
  await publish("open");
  expect(broker.of("open")).toHaveLength(2);
});

test("what a schema transforms is written as the schema reads it", async () => {
  const broker = new MemoryBroker();
  const cents = z.codec(z.string(), z.int(), {
    decode: (text) => Math.round(Number(text) * 100),
    encode: (value) => (value / 100).toFixed(2),
  });
  const paid = defineEvent({ type: "paid", schema: z.object({ total: cents }) });
  await publisherOn(broker).publish({ topic: "topic" }, paid, { total: "6.49" });
  const written = JSON.parse(broker.records[0]!.value!.toString());
  expect(written).toMatchObject({ data: { total: "6.49" } });
  expect(compileEvent(paid).parse(written).data).toEqual({ total: 649 });
});

test("a topic that refuses fails none of the records for another", async () => {
  const broker = new MemoryBroker();
  broker.down.add("closed");
  const publisher = publisherOn(broker);
  const publish = (topic: string) => publisher.publish({ topic }, counted, { key: "k", count: 1 });
  const results = await Promise.allSettled(["open", "closed", "open"].map(publish));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

test("an event that breaks its schema is never sent", async () => {
  const broker = new MemoryBroker();
  const publishing = publisherOn(broker).publish({ topic: "topic" }, counted, {
    key: "k",
    count: 0.5,
  });
  await expect(publishing).rejects.toThrow("an event counted breaks its schema");
  expect(broker.records).toEqual([]);
});

test("an event that no broker would accept is refused", async () => {
  const publishing = publisherOn(new MemoryBroker()).publish({ topic: "topic" }, counted, {
    key: "k".repeat(600_000),
    count: 1,
  });
  await expect(publishing).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
});

test("a record that the topic refuses as too large fails alone", async () => {
  const broker = new MemoryBroker({ maxValueBytes: 1_000 });
  const publisher = publisherOn(broker);
  const publish = (key: string) =>
    publisher.publish({ topic: "topic" }, counted, { key, count: 1 });
  const outcomes = await Promise.allSettled(["a", "k".repeat(2_000), "b"].map(publish));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(outcomes[1]).toMatchObject({ reason: { code: "PAYLOAD_TOO_LARGE" } });
  expect(broker.sends).toEqual([3, 1, 1, 1]);
});

test("a codec writes the record in its own way", async () => {
  const broker = new MemoryBroker();
  const codec: EventCodec = {
    decode: () => ({ type: "", data: undefined }),
    encode: ({ type, data }) => ({
      value: Buffer.from(JSON.stringify(data)),
      headers: { "ce-type": type },
    }),
  };
  await publisherOn(broker).publish({ topic: "topic", codec }, counted, { key: "k", count: 1 });
  expect(broker.records[0]!.value!.toString()).toBe('{"key":"k","count":1}');
  expect(textHeaders(broker.records[0]!)).toMatchObject({ "ce-type": "counted" });
});

test("a broker that refuses is an upstream failure", async () => {
  const broker = new MemoryBroker();
  broker.down.add("topic");
  const publishing = publisherOn(broker).publish({ topic: "topic" }, counted, {
    key: "k",
    count: 1,
  });
  await expect(publishing).rejects.toMatchObject({
    code: "EXTERNAL_SERVICE_ERROR",
    cause: { message: "topic is down" },
  });
});

test("a broker that says nothing is one too, after the deadline, and what waits is bounded", async () => {
  const broker = new MemoryBroker();
  broker.send = () => new Promise(() => {});
  const publisher = publisherOn(broker, 300);
  const counts = Array.from({ length: 11_500 }, (_, count) => count);
  const outcomes = await Promise.allSettled(
    counts.map(async (count) => {
      // One batch is under way before the others come.
      if (count >= 1_000) await new Promise((resolve) => setTimeout(resolve, 50));
      return publisher.publish({ topic: "topic" }, counted, { key: "k", count });
    }),
  );
  const codes = outcomes.map((outcome) =>
    outcome.status === "rejected" ? (outcome.reason as { code: string }).code : "sent",
  );
  expect(Object.groupBy(codes, (code) => code)["OVERLOADED"]).toHaveLength(500);
  expect(codes[0]).toBe("EXTERNAL_SERVICE_ERROR");
  expect(codes).not.toContain("sent");
});
