import { isDeepStrictEqual } from "node:util";

import { Violation } from "./check.ts";
import type { WireResponse } from "./wire/response.ts";

/** The codes of the standard and their statuses. */
const STATUS_OF: Record<string, number> = {
  VALIDATION_ERROR: 400,
  AUTH_ERROR: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  EXTERNAL_SERVICE_ERROR: 502,
  OVERLOADED: 503,
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/;

// What a caller must never read: stacks, paths, names of what the service is made of.
const INTERNALS = [
  /\n\s+at /,
  /Traceback/,
  /File "[^"]+", line/,
  /(?:^|[\s"'(])\/(?:usr|home|app|tmp|root|work|var|opt|srv)\//,
  /node_modules|node:internal|site-packages/,
  /\.(?:ts|js|mjs|cjs|py):\d+/,
  /\b(?:fastify|express|zod|pydantic|starlette|fastapi|uvicorn|gunicorn|FST_ERR\w*|HPE_\w+)\b/i,
  /\b(?:TypeError|SyntaxError|ReferenceError|RangeError|ValueError|KeyError)\b/,
];

/** @throws {Violation} unless `condition`. */
export function expect(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Violation(problem);
}

/** @throws {Violation} unless both are deeply equal. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Violation(`${what}: expected ${show(expected)}, got ${show(actual)}`);
}

/** @throws {Violation} unless the response has this status. */
export function expectStatus(response: WireResponse, ...statuses: number[]): void {
  if (statuses.includes(response.status)) return;
  throw new Violation(
    `${response.request}: expected ${statuses.join(" or ")}, got ${describe(response)}`,
  );
}

/** @throws {Violation} unless the response is this status and exactly this JSON. */
export function expectJson(response: WireResponse, status: number, body: unknown): void {
  expectStatus(response, status);
  expectJsonType(response);
  expectEqual(response.json(), body, response.request);
}

/**
 * Error body, for every non-2xx: `{"error":{code, message, request_id, timestamp, details?}}`.
 * @param code the code of the standard; left out for statuses that it does not name.
 */
export function expectError(response: WireResponse, status: number, code?: string): void {
  const expected = code ?? codeOf(status);
  expectStatus(response, status);
  expectErrorBody(response);
  if (expected !== undefined) {
    expectEqual(errorOf(response).code, expected, `${response.request}: error.code`);
  }
}

/** A refusal with any of these statuses and the error body that belongs to it. */
export function expectRefusal(response: WireResponse, statuses: readonly number[]): void {
  expectStatus(response, ...statuses);
  expectError(response, response.status);
}

/** Whatever the answer is, it is not a failure of the service, and it is of the standard's form. */
export function expectNoFailure(response: WireResponse): void {
  expect(response.status < 500, `${response.request}: the service failed: ${describe(response)}`);
  if (response.status >= 400) expectError(response, response.status);
}

interface ErrorFields {
  code: string;
  message: string;
  request_id: string;
  timestamp: string;
  details?: { field: string; message: string }[];
}

/** The inside of an error body, not checked. */
export function errorOf(response: WireResponse): ErrorFields {
  return (response.json() as { error: ErrorFields }).error;
}

function expectErrorBody(response: WireResponse): void {
  expectJsonType(response);
  const at = response.request;
  const body = response.json();
  expectEqual(keysOf(body), ["error"], `${at}: fields of the body`);
  const error = errorOf(response);
  const allowed = ["code", "message", "request_id", "timestamp"];
  const keys = keysOf(error).filter((key) => key !== "details");
  expectEqual(keys.toSorted(), allowed, `${at}: fields of error`);
  expect(/^[A-Z][A-Z_]+$/.test(error.code), `${at}: error.code is ${show(error.code)}`);
  expect(
    typeof error.message === "string" && error.message !== "",
    `${at}: error.message is ${show(error.message)}`,
  );
  expectEqual(error.request_id, response.header("x-request-id"), `${at}: error.request_id`);
  expect(
    UTC.test(error.timestamp) && !Number.isNaN(Date.parse(error.timestamp)),
    `${at}: error.timestamp is not ISO 8601 in UTC: ${show(error.timestamp)}`,
  );
  for (const detail of error.details ?? []) {
    expectEqual(keysOf(detail).toSorted(), ["field", "message"], `${at}: fields of a detail`);
    expect(
      typeof detail.field === "string" && typeof detail.message === "string",
      `${at}: a detail is not made of texts: ${show(detail)}`,
    );
  }
  expectNoInternals(response);
}

/** Never a stack, a path or an internal name. */
export function expectNoInternals(response: WireResponse): void {
  const leaked = INTERNALS.map((pattern) => pattern.exec(unescaped(response.text))?.[0]);
  const first = leaked.find((text) => text !== undefined);
  expect(first === undefined, `${response.request}: the answer gives away ${show(first)}`);
}

/** @throws {Violation} unless the body is announced as JSON. */
export function expectJsonType(response: WireResponse): void {
  const type = response.header("content-type") ?? "";
  expect(
    /^application\/json(?:\s*;\s*charset=utf-8)?$/i.test(type),
    `${response.request}: content-type is ${show(type)}, body ${show(response.text)}`,
  );
}

/** @throws {Violation} unless `text` is a UUID. */
export function expectUuid(text: string | undefined, what: string): void {
  expect(text !== undefined && UUID.test(text), `${what} is not a new UUID: ${show(text)}`);
}

/** A value in one line of a report. */
export function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : JSON.stringify(value);
  return text === undefined ? String(value) : shorten(text);
}

function describe(response: WireResponse): string {
  return `${response.status} ${show(response.text)}`;
}

function codeOf(status: number): string | undefined {
  return Object.keys(STATUS_OF).find((code) => STATUS_OF[code] === status);
}

function keysOf(value: unknown): string[] {
  return typeof value === "object" && value !== null ? Object.keys(value) : [];
}

function unescaped(text: string): string {
  return text.replaceAll("\\n", "\n").replaceAll('\\"', '"');
}

function shorten(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 300)}… (${text.length} characters)`;
}
