import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { AppError } from "./errors.ts";

const MAC_BYTES = 16;

/** The query of a route that answers a list page by page. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(500).optional(),
});

/** A page of a list. `nextCursor` is there when more follows. */
export interface ListPage<Item> {
  items: Item[];
  nextCursor?: string;
}

/**
 * Makes a page of what was read after the cursor's position, one more than the limit: that one says whether more follows.
 *
 * @param next makes the cursor behind an item, with `sealCursor`
 */
export function toPage<Item>(
  read: readonly Item[],
  limit: number,
  next: (last: Item) => string,
): ListPage<Item> {
  const items = read.slice(0, limit);
  return read.length > limit ? { items, nextCursor: next(items.at(-1)!) } : { items };
}

/**
 * Where a list continues, for the caller to bring back. It is signed, so that callers cannot make one up, and valid for
 * one list only.
 *
 * @param list what the cursor is for, such as `receipt`
 */
export function sealCursor(key: string, list: string, position: string): string {
  const place = Buffer.from(position);
  return Buffer.concat([macOf(key, list, place), place]).toString("base64url");
}

/** The place that a cursor stands for. @throws {AppError} VALIDATION_ERROR for one that was not made here. */
export function openCursor(key: string, list: string, cursor: string): string {
  const bytes = Buffer.from(cursor, "base64url");
  const place = bytes.subarray(MAC_BYTES);
  const whole = place.length > 0 && bytes.toString("base64url") === cursor;
  if (whole && timingSafeEqual(bytes.subarray(0, MAC_BYTES), macOf(key, list, place))) {
    return place.toString();
  }
  throw new AppError("VALIDATION_ERROR", "Request validation failed", {
    details: [{ field: "query.cursor", message: "must be the cursor of an earlier page" }],
  });
}

function macOf(key: string, list: string, place: Buffer): Buffer {
  const mac = createHmac("sha256", key).update(`${list.length}:${list}`).update(place).digest();
  return mac.subarray(0, MAC_BYTES);
}
