import { expect, test } from "vitest";
import { listDeadLetters, replayDeadLetters } from "../../../src/platform/kafka/replay.ts";
import { toDeadLetter } from "../../../src/platform/kafka/dead-letters.ts";
import { MemoryBroker } from "./memory-broker.ts";
import { raw, TOPIC } from "./running-consumer.ts";

const all = { topic: TOPIC, group: "group", limit: Infinity };

function brokerWithLetters(...values: string[]): MemoryBroker {
  const source = new MemoryBroker();
  const broker = new MemoryBroker();
  for (const value of values) source.append(raw(value));
  for (const record of source.of(TOPIC)) {
    const error = new Error("too bad");
    broker.append(toDeadLetter(record, { reason: "handler_failed", error, attempts: 4 }));
  }
  return broker;
}

test("the list tells what is there and why, and changes nothing", async () => {
  const broker = brokerWithLetters("one", "two");
  const lines: string[] = [];
  expect(await listDeadLetters(broker, all, (line) => lines.push(line))).toBe(2);
  expect(lines[1]).toMatch(/^1\/1 .* handler_failed after 4 attempts: Error: too bad\n/);
  expect(lines[1]).toMatch(/from events\/1\/1 of .*Z, key a, 3 bytes$/);
  expect(broker.of(TOPIC)).toEqual([]);
  expect(await listDeadLetters(broker, { ...all, limit: 1 }, () => {})).toBe(1);
});

test("what strangers wrote stays in its line", async () => {
  const hostile = "a\n\u001b[2Jb\u009b31m\u202e";
  const broker = new MemoryBroker();
  const source = new MemoryBroker();
  source.append({ ...raw("one"), key: Buffer.from(hostile) });
  const error = new Error(hostile);
  const letter = toDeadLetter(source.of(TOPIC)[0]!, { reason: "malformed", error, attempts: 0 });
  broker.append({ ...letter, headers: [...letter.headers, ["x-dlq-topic", hostile]] });
  const lines: string[] = [];
  await listDeadLetters(broker, all, (line) => lines.push(...line.split("\n")));
  expect(lines).toHaveLength(2);
  const shown = String.raw`a\u000a\u001b[2Jb\u009b31m\u202e`;
  expect(lines[0]).toContain(`Error: ${shown}`);
  expect(lines[1]).toContain(`from ${shown}/`);
  expect(lines[1]).toContain(`key ${shown},`);
});

test("a replay sends each letter back as it was, once", async () => {
  const broker = brokerWithLetters("one", "two");
  expect(await replayDeadLetters(broker, { ...all, limit: 1 })).toBe(1);
  expect(await replayDeadLetters(broker, all)).toBe(1);
  expect(await replayDeadLetters(broker, all)).toBe(0);
  const back = broker.of(TOPIC);
  expect(back.map(({ value }) => value?.toString())).toEqual(["one", "two"]);
  const names = back[0]!.headerEntries.map(([name]) => name.toString());
  expect(names).toEqual(["x-request-id"]);
});

test("no more is sent at once than a broker accepts, and each part is remembered", async () => {
  const values = ["a", "b", "c", "d"].map((letter) => letter.repeat(400_000));
  const broker = brokerWithLetters(...values);
  expect(await replayDeadLetters(broker, all)).toBe(4);
  expect(broker.sends).toEqual([2, 2]);
  expect(broker.calls).toEqual(["commit 1:2", "commit 1:4", "leave"]);
  expect(broker.of(TOPIC).map(({ value }) => value?.toString())).toEqual(values);
});
