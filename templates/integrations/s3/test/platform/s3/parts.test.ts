import { expect, test } from "vitest";
import { BufferPool } from "../../../src/platform/s3/buffer-pool.ts";
import { partsOf } from "../../../src/platform/s3/parts.ts";

async function* stream(...chunks: string[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

test.each([
  ["nothing", [], []],
  ["less than a part", ["ab"], ["ab"]],
  ["exactly a part", ["abc"], ["abc"]],
  ["chunks that fit nowhere", ["ab", "cdefgh", "", "i", "j"], ["abc", "def", "ghi", "j"]],
])("%s", async (_name, chunks, expected) => {
  const parts: string[] = [];
  for await (const part of partsOf(stream(...chunks), new BufferPool(3).lend()))
    parts.push(part.toString());
  expect(parts).toEqual(expected);
});

test("a part is good until the one after the next is asked for", async () => {
  const parts = partsOf(stream("abcdefghi"), new BufferPool(3).lend());
  const first = await parts.next();
  const second = await parts.next();
  expect([String(first.value), String(second.value)]).toEqual(["abc", "def"]);
  await parts.next();
  expect(String(second.value)).toBe("def");
});

test("buffers are lent again, but never to two at a time", () => {
  const pool = new BufferPool(3);
  const first = pool.lend();
  const second = pool.lend();
  const lent = [first.at(0), first.at(1), second.at(0), second.at(1)];
  expect(new Set(lent).size).toBe(4);
  expect(first.at(2)).toBe(lent[0]);
  first[Symbol.dispose]();
  expect(lent).toContain(pool.lend().at(0));
});
