import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { OutgoingRecord } from "../../../src/platform/kafka/port.ts";
import { eventOf, newBroker, startConsumer, TOPIC } from "./running-consumer.ts";

const SEED = 16;
const COUNT = 1_000;

const event = fc
  .record(
    {
      id: fc.oneof(fc.string(), fc.jsonValue()),
      type: fc.oneof(fc.constantFrom("counted", "__proto__", "constructor"), fc.jsonValue()),
      time: fc.oneof(fc.string(), fc.constantFrom("2026-01-31T12:00:00Z", "2026-13-99T99:99:60Z")),
      data: fc.oneof(fc.jsonValue(), fc.record({ key: fc.string(), count: fc.integer() })),
    },
    { requiredKeys: [] },
  )
  .map((fields) => JSON.stringify(fields));
const good = fc.record({ key: fc.string(), count: fc.integer() }).map((data) => eventOf(data));
const long = fc
  .record({ text: fc.string({ minLength: 1 }), times: fc.integer({ min: 1, max: 20_000 }) })
  .map(({ text, times }) => eventOf({ key: text.repeat(times) }, { type: "token".repeat(times) }));
const deep = fc
  .record({ open: fc.constantFrom("[", '{"a":'), depth: fc.integer({ min: 1, max: 50_000 }) })
  .map(({ open, depth }) => `{"type":"counted","data":${open.repeat(depth)}`);
const wide = fc
  .record({ item: fc.constantFrom("{}", "null", '""', "[]"), count: fc.nat(50_000) })
  .map(({ item, count }) => `{"type":"counted","data":[${Array(count).fill(item).join()}]}`);
const text = fc.oneof(
  { weight: 6, arbitrary: event },
  { weight: 2, arbitrary: good },
  { weight: 2, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.oneof(long, deep, wide) },
);
/** Cut, and with a byte changed. */
const damaged = fc.record({ text, at: fc.nat(200), byte: fc.nat(255) }).map((given) => {
  const bytes = Buffer.from(given.text);
  if (given.at < bytes.length) bytes[given.at] = given.byte;
  return given.byte % 2 === 0 ? bytes.subarray(0, given.at) : bytes;
});
const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
const header = fc.tuple(
  fc.oneof(
    fc.constantFrom("x-request-id", "traceparent", "baggage", "x-dlq-error", "__proto__"),
    fc.constantFrom("event-id", "event-time", "x-dlq-partition"),
    fc.string(),
  ),
  fc.oneof(
    fc.string(),
    fc.string().map((part) => part.repeat(500)),
  ),
);
const record: fc.Arbitrary<OutgoingRecord> = fc.record({
  topic: fc.constant(TOPIC),
  key: fc.option(bytes, { nil: undefined }),
  value: fc.option(
    fc.oneof(
      text.map((given) => Buffer.from(given)),
      damaged,
      bytes,
    ),
    {
      nil: undefined,
    },
  ),
  headers: fc.array(header, { maxLength: 5 }),
});

test("no record stops those behind it, vanishes, or fills the log", async () => {
  const broker = newBroker();
  for (const given of fc.sample(record, { seed: SEED, numRuns: COUNT })) broker.append(given);
  await using consumer = await startConsumer({ broker });
  const ends = new Map(
    broker.of(TOPIC).map(({ partition, offset }) => [`group/${TOPIC}/${partition}`, offset + 1n]),
  );
  await expect
    .poll(() => [...ends.keys()].map((key) => broker.committed.get(key)), { timeout: 300_000 })
    .toEqual([...ends.values()]);
  const letters = broker.of(`${TOPIC}.dlq`).length;
  const empty = broker.of(TOPIC).filter(({ value }) => value === undefined).length;
  expect(consumer.handled.length + letters + empty).toBe(COUNT);
  expect(consumer.handled.length).toBeGreaterThan(25);
  expect(letters).toBeGreaterThan(250);
  for (const line of consumer.logs) {
    const { error, ...fields } = line as { error?: { stack?: string } };
    expect(JSON.stringify(fields).length).toBeLessThanOrEqual(4_096);
    expect((error?.stack ?? "").length).toBeLessThanOrEqual(16_384);
  }
});
