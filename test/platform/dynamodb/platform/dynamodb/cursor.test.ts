import { expect, test } from "vitest";
import { openCursor, sealCursor } from "../../../src/platform/dynamodb/cursor.ts";

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
