import { createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";

const MAC_BYTES = 16;

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
