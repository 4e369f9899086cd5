import { expect, test } from "vitest";
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
  for await (const part of partsOf(stream(...chunks), 3)) parts.push(part.toString());
  expect(parts).toEqual(expected);
});

test("a part is good until the one after the next is asked for", async () => {
  const parts = partsOf(stream("abcdefghi"), 3);
  const first = await parts.next();
  const second = await parts.next();
  expect([String(first.value), String(second.value)]).toEqual(["abc", "def"]);
  await parts.next();
  expect(String(second.value)).toBe("def");
});
