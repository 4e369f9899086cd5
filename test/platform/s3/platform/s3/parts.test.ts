import { expect, test } from "vitest";
import { BufferPool } from "../../../src/platform/s3/buffer-pool.ts";
import { partsOf } from "../../../src/platform/s3/parts.ts";

async function* stream(...chunks: string[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

test.each([
  ["nothing", [], []],
  ["less than a part", ["ab"], ["ab."]],
  ["exactly a part", ["abc"], ["abc."]],
  ["exactly two", ["abc", "def"], ["abc", "def."]],
  ["chunks that fit nowhere", ["ab", "cdefgh", "", "i", "j"], ["abc", "def", "ghi", "j."]],
])("%s", async (_name, chunks, expected) => {
  const parts: string[] = [];
  for await (const { bytes, last } of partsOf(stream(...chunks), Buffer.alloc(3)))
    parts.push(`${bytes.toString()}${last ? "." : ""}`);
  expect(parts).toEqual(expected);
});

test("buffers are lent again, but never to two at a time", () => {
  const pool = new BufferPool(3, 2);
  const first = pool.lend();
  const second = pool.lend();
  expect(first.buffer).not.toBe(second.buffer);
  first[Symbol.dispose]();
  expect(pool.lend().buffer).toBe(first.buffer);
});
