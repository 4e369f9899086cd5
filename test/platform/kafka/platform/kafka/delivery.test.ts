import { describe, expect, test } from "vitest";
import { deadLetterFields } from "../../../src/platform/kafka/dead-letters.ts";
import { onEvent } from "../../../src/platform/kafka/delivery.ts";
import { type EventCodec, parseJson } from "../../../src/platform/kafka/events.ts";
import { textHeaders } from "../../../src/platform/kafka/record-context.ts";
import { eventually } from "./eventually.ts";
import {
  counted,
  eventOf,
  newBroker,
  raw,
  type RunningConsumer,
  startConsumer,
  TOPIC,
} from "./running-consumer.ts";

/** The records of the dead letter topic, as soon as there are so many. */
async function deadLetters({ broker }: RunningConsumer, count: number) {
  return eventually(() => {
    const letters = broker.of(`${TOPIC}.dlq`);
    expect(letters).toHaveLength(count);
    return letters;
  });
}

test.each([
  ["bytes that are no text", Buffer.from([0xff, 0xfe, 0x00]), "malformed"],
  ["text that is not JSON", "{", "malformed"],
  ["JSON that is no event", "[1]", "malformed"],
  ["an empty value", "", "malformed"],
  ["an event whose type is no text", '{"type":{"toString":1}}', "malformed"],
  ["an event of a type without a handler", '{"type":"strange","data":{}}', "unknown_type"],
  ["an event over which its schema throws", eventOf({ key: "trap", count: 1 }), "malformed"],
  ["an event that breaks its schema", '{"type":"counted","data":{"key":1}}', "malformed"],
])("%s becomes a dead letter at once, and blocks nothing", async (_name, value, reason) => {
  await using consumer = await startConsumer();
  consumer.broker.append(raw(value, "1"));
  await consumer.kafka.publish(counted, { key: "1", count: 2 });
  const [letter] = await deadLetters(consumer, 1);
  expect(letter).toMatchObject({ key: Buffer.from("1"), value: Buffer.from(value as string) });
  expect(deadLetterFields(letter!)).toMatchObject({
    reason,
    error: expect.stringMatching(/^\w+Error: ./),
    attempts: "0",
    topic: TOPIC,
    partition: "0",
    offset: "0",
    timestamp: expect.stringMatching(/Z$/),
  });
  expect(textHeaders(letter!)["x-request-id"]).toBe("from-elsewhere");
  await eventually(() => expect(consumer.handled).toEqual(["1/2"]));
  expect(await consumer.metric("kafka_dead_letters_total", { reason })).toBe(1);
});

test("a header without a value is none, and one that comes twice comes twice to the dead letters", async () => {
  await using consumer = await startConsumer();
  const good = raw(eventOf({ key: "a", count: 1 }));
  const bad = raw("{");
  good.headers.push(["empty", undefined]);
  bad.headers.push(["empty", undefined], ["again", "1"], ["again", "2"]);
  consumer.broker.append(good);
  consumer.broker.append(bad);
  const [letter] = await deadLetters(consumer, 1);
  expect(consumer.handled).toEqual(["a/1"]);
  const headers = letter!.headerEntries.map(([name, value]) => [String(name), value?.toString()]);
  expect(headers.slice(0, 4)).toEqual([
    ["x-request-id", "from-elsewhere"],
    ["empty", undefined],
    ["again", "1"],
    ["again", "2"],
  ]);
});

test("a record of no possible time becomes a dead letter, too", async () => {
  await using consumer = await startConsumer();
  const timestamp = 2n ** 62n;
  consumer.broker.append({ ...raw("{"), timestamp });
  const [letter] = await deadLetters(consumer, 1);
  expect(deadLetterFields(letter!)).toMatchObject({ timestamp: String(timestamp) });
});

test.each([null, Object.create(null), { toString: 1 }])(
  "a handler may throw anything: %#",
  async (thrown) => {
    await using consumer = await startConsumer({
      handle: () => {
        throw thrown;
      },
    });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    const [letter] = await deadLetters(consumer, 1);
    expect(deadLetterFields(letter!)).toMatchObject({ reason: "handler_failed" });
  },
);

test("a tombstone is skipped and counted", async () => {
  await using consumer = await startConsumer();
  consumer.broker.append(raw(undefined));
  await eventually(() => expect(consumer.broker.committed.size).toBe(1));
  expect(consumer.broker.of(`${TOPIC}.dlq`)).toEqual([]);
  expect(await consumer.metric("kafka_consumed_records_total", { outcome: "tombstone" })).toBe(1);
});

test("a handler that fails is called again, and the event is done when it does not", async () => {
  let calls = 0;
  const handle = (): void => {
    calls += 1;
    if (calls < 4) throw new Error("not yet");
  };
  await using consumer = await startConsumer({ handle });
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  await eventually(() => expect(consumer.broker.committed.size).toBe(1));
  expect(calls).toBe(4);
  expect(consumer.broker.of(`${TOPIC}.dlq`)).toEqual([]);
  expect(await consumer.metric("kafka_consumer_retries_total")).toBe(3);
});

test("after three repetitions the event is a dead letter, with the error", async () => {
  const handle = (): Promise<void> => Promise.reject(new Error("never"));
  await using consumer = await startConsumer({ handle });
  await consumer.kafka.publish(counted, { key: "a", count: 1 });
  const [letter] = await deadLetters(consumer, 1);
  expect(deadLetterFields(letter!)).toMatchObject({
    reason: "handler_failed",
    error: "Error: never",
    attempts: "4",
  });
  expect(consumer.handled).toHaveLength(4);
  const warnings = consumer.logs.filter(({ level }) => level === "warn");
  expect(warnings).toMatchObject([{ message: "event handler failed; it is called again" }]);
  await eventually(() => expect(consumer.broker.committed.size).toBe(1));
  expect(consumer.logs.find(({ level }) => level === "error")).toMatchObject({
    level: "error",
    message: "event is a dead letter",
    reason: "handler_failed",
    topic: TOPIC,
    offset: 0,
  });
});

test("a letter that its topic does not accept goes without its value", async () => {
  const broker = newBroker({ maxValueBytes: 1_000 });
  await using consumer = await startConsumer({ broker });
  broker.append(raw("{".repeat(2_000)));
  const [letter] = await deadLetters(consumer, 1);
  expect(letter!.value).toBeUndefined();
  expect(deadLetterFields(letter!)).toMatchObject({ "omitted-bytes": "2000", offset: "0" });
  expect(textHeaders(letter!)["x-request-id"]).toBe("from-elsewhere");
  await eventually(() => expect(broker.committed.size).toBe(1));
});

describe("the time of an event", () => {
  test.each([
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.678901+00:00",
    "2026-01-02T03:04:05.5-07:30",
    "2026-01-02T03:04+02:00",
    "2026-01-02 03:04:05+02:00",
    "2026-01-02t03:04:05z",
    "2016-12-31T23:59:60Z",
  ])("may be %s", async (time) => {
    const times: string[] = [];
    const handle = (event: { time: string }): void => void times.push(event.time);
    await using consumer = await startConsumer({ handle });
    consumer.broker.append(raw(eventOf({ key: "a", count: 1 }, { time })));
    await eventually(() => expect(times).toEqual([time]));
  });

  test.each(["yesterday", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", 5])(
    "may not be %s",
    async (time) => {
      await using consumer = await startConsumer();
      consumer.broker.append(raw(eventOf({ key: "a", count: 1 }, { time })));
      const [letter] = await deadLetters(consumer, 1);
      expect(deadLetterFields(letter!)).toMatchObject({ reason: "malformed" });
    },
  );
});

test("id and time come from headers, or from the record, when the envelope lacks them", async () => {
  const seen: { id: string; time: string }[] = [];
  const handle = ({ id, time }: { id: string; time: string }): void => void seen.push({ id, time });
  await using consumer = await startConsumer({ handle });
  const bare = { id: undefined, time: undefined };
  const timestamp = 1_767_323_045_678n;
  const named = raw(eventOf({ key: "a", count: 1 }, bare));
  named.headers.push(["event-id", "n-1"], ["event-time", "2026-01-02T03:04:05Z"]);
  consumer.broker.append(named);
  consumer.broker.append({ ...raw(eventOf({ key: "a", count: 2 }, bare)), timestamp });
  await eventually(() => expect(seen).toHaveLength(2));
  expect(seen).toEqual([
    { id: "n-1", time: "2026-01-02T03:04:05Z" },
    { id: "events/1/1", time: "2026-01-02T03:04:05.678Z" },
  ]);
});

test("a codec reads a topic that is written in another way", async () => {
  const seen: unknown[] = [];
  const codec: EventCodec = {
    decode: ({ headers, value }) => ({
      type: headers["ce_type"] ?? "",
      id: headers["ce_id"],
      data: parseJson(value),
    }),
    encode: (event) => ({ value: Buffer.from(JSON.stringify(event.data)) }),
  };
  const handlers = [onEvent(counted, ({ id, data }) => void seen.push([id, data]))];
  await using consumer = await startConsumer({
    subscriptions: [{ topic: TOPIC, handlers, codec }],
  });
  const record = raw('{"key":"a","count":1}');
  record.headers.push(["ce_type", "counted"], ["ce_id", "7"]);
  consumer.broker.append(record);
  await eventually(() => expect(seen).toEqual([["7", { key: "a", count: 1 }]]));
  consumer.broker.append(raw("{"));
  const [letter] = await deadLetters(consumer, 1);
  expect(deadLetterFields(letter!)).toMatchObject({ reason: "malformed" });
});

test("a handler's log lines carry the ids that came in the headers", async () => {
  await using consumer = await startConsumer({
    handle: (_event, { log }) => log.info("in the handler"),
  });
  consumer.broker.append(raw(eventOf({ key: "a", count: 1 })));
  await eventually(() => expect(consumer.handled).toHaveLength(1));
  expect(consumer.logs.find(({ message }) => message === "in the handler")).toMatchObject({
    request_id: "from-elsewhere",
    correlation_id: "from-elsewhere",
    trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
});
