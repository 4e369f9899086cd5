import { expect, test } from "vitest";
import { openCursor, pageQuery, sealCursor, toPage } from "../../src/platform/pages.ts";

const cursor = sealCursor("key", "receipt", "a/ä/7");

test("a cursor says where to go on", () => {
  expect(openCursor("key", "receipt", cursor)).toBe("a/ä/7");
  expect(cursor).toMatch(/^[\w-]+$/);
});

test.each([
  ["nothing", ""],
  ["anything", "anything at all"],
  ["a place without a signature", Buffer.from("a/ä/7").toString("base64url")],
  ["a signature without a place", cursor.slice(0, 22)],
  ["one with another place", `${cursor.slice(0, -2)}AA`],
  ["one that is cut off", cursor.slice(0, -1)],
  ["one with something behind it", `${cursor}!`],
  ["one of another list", sealCursor("key", "order", "a/ä/7")],
  ["one of another key", sealCursor("old", "receipt", "a/ä/7")],
])("%s is refused", (_name, forged) => {
  expect(() => openCursor("key", "receipt", forged)).toThrow(
    expect.objectContaining({
      code: "VALIDATION_ERROR",
      details: [{ field: "query.cursor", message: "must be the cursor of an earlier page" }],
    }),
  );
});

test("a list continues behind the last thing of the page, until nothing follows", () => {
  const all = ["a", "b", "c", "d", "e"];
  const seen: string[][] = [];
  let next: string | undefined;
  do {
    const after = next === undefined ? "" : openCursor("key", "letters", next);
    const read = all.filter((letter) => letter > after).slice(0, 3);
    const page = toPage(read, 2, (last) => sealCursor("key", "letters", last));
    seen.push(page.items);
    next = page.nextCursor;
  } while (next !== undefined);
  expect(seen).toEqual([["a", "b"], ["c", "d"], ["e"]]);
});

test("a page has 20 things, unless the caller wants others", () => {
  expect(pageQuery.parse({})).toEqual({ limit: 20 });
  expect(pageQuery.parse({ limit: "7", cursor: "c" })).toEqual({ limit: 7, cursor: "c" });
  expect(pageQuery.safeParse({ limit: "101" }).success).toBe(false);
});
