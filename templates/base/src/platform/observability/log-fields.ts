import { EventEmitter } from "node:events";

/** The names of fields whose values are not logged: `token`, `access_token` and `accessToken`, but not `total_tokens`. */
const SECRETS =
  /(?:authorization|cookies?|passwords?|passwd|passphrase|secrets?|credentials?)$|(?:^|_)(?:token|pwd|bearer|jwt|session(?:_?id)?|signature|dsn|connection_string|(?:api|private|access|secret|cursor|signing|encryption)_?key)$/;

const REDACTED = "[redacted]";
const MAX_DEPTH = 8;
const MAX_VALUES = 256;
const NAME_CHARS = 128;
const TEXT_CHARS = 2_048;
const STACK_BYTES = 16_384;
const NESTED_STACK_BYTES = 1_024;
const ERROR_FIELD_BYTES = 128;
const CAUSES = 5;

/** The only own fields of an error that are logged: SDK errors also hold whole requests, with their credentials. */
const ERROR_FIELDS =
  "code errno syscall hostname address port status statusCode apiCode canRetry $fault".split(" ");
const AWS_FIELDS = ["httpStatusCode", "requestId", "attempts"];

/**
 * Makes what turns the fields of a log line into plain data without secrets. It looks at a few hundred values at most, so
 * that no object is too large, too deep or too crooked to be logged.
 * @param names further names of secrets; they also count behind an underscore.
 */
export function createFieldCleaner(
  names: readonly string[],
): (fields: object) => Record<string, unknown> {
  const own = names.map(normalize);

  function isSecret(name: string): boolean {
    const known = normalize(name);
    if (SECRETS.test(known)) return true;
    return own.some((secret) => known === secret || known.endsWith(`_${secret}`));
  }

  /** `room` counts the values that may still be looked at. */
  function clean(value: unknown, depth: number, room: { values: number }): unknown {
    if (typeof value === "string") return cleanText(value);
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    if (depth > MAX_DEPTH) return "[too deep]";
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    // Sockets, streams, requests: they lead to everything else in the process.
    if (value instanceof EventEmitter) return `[${value.constructor.name}]`;
    if (value instanceof Error) return cleanError(value, depth, room);
    if ("toJSON" in value && typeof value.toJSON === "function") {
      return clean(value.toJSON(), depth + 1, room);
    }
    if (!Array.isArray(value)) return cleanObject(value, depth, room);
    const items: unknown[] = [];
    for (const item of value as unknown[]) {
      if (room.values-- <= 0) break;
      items.push(clean(item, depth + 1, room));
    }
    return items.length < value.length
      ? [...items, `[${value.length - items.length} more]`]
      : items;
  }

  function cleanObject(
    fields: object,
    depth: number,
    room: { values: number },
  ): Record<string, unknown> {
    // Without a prototype, so that `__proto__` is a name like any other.
    const result = Object.create(null) as Record<string, unknown>;
    const read = (name: string): unknown => {
      try {
        return clean((fields as Record<string, unknown>)[name], depth + 1, room);
      } catch {
        // A getter or a `toJSON` threw; no log line is worth a request.
        return "[cannot be read]";
      }
    };
    for (const name of Object.keys(fields)) {
      if (room.values-- <= 0) return Object.assign(result, { "…": "[more fields]" });
      result[name.slice(0, NAME_CHARS)] = isSecret(name) ? REDACTED : read(name);
    }
    return result;
  }

  function cleanError(error: Error, depth: number, room: { values: number }): object {
    const fields = error as Error & Record<string, unknown>;
    const aws = (fields.$metadata ?? {}) as Record<string, unknown>;
    return {
      type: error.constructor?.name ?? error.name,
      message: cleanText(error.message),
      stack: fitText(redactUrls(stackOf(error)), depth > 1 ? NESTED_STACK_BYTES : STACK_BYTES),
      ...pick(fields, ERROR_FIELDS),
      ...pick(aws, AWS_FIELDS),
      ...(error instanceof AggregateError && { errors: clean(error.errors, depth + 1, room) }),
    };
  }

  return (fields) => cleanObject(fields, 0, { values: MAX_VALUES });
}

/** `apiKey`, `API-KEY` and `api.key` all become `api_key`. */
function normalize(name: string): string {
  const words = name.slice(-NAME_CHARS).replace(/([a-z0-9])([A-Z])/g, "$1_$2");
  return words.replace(/[^A-Za-z0-9]/g, "_").toLowerCase();
}

/** A text that a caller may have chosen: cut, and without the passwords of URLs. */
export function cleanText(text: unknown): unknown {
  if (typeof text !== "string") return text;
  if (text.length <= TEXT_CHARS) return redactUrls(text);
  // Behind a URL that was cut, the @ may be missing.
  return `${redactUrls(text.slice(0, TEXT_CHARS)).replace(/:\/\/[^\s/]+$/, "://")}…`;
}

function redactUrls(text: string): string {
  return text.replace(/:\/\/[^\s/]+@/g, `://${REDACTED}@`);
}

function stackOf(error: Error): string {
  let text = String(error.stack).slice(0, STACK_BYTES);
  let { cause } = error;
  for (let count = 0; count < CAUSES && cause instanceof Error; count += 1) {
    text += `\ncaused by: ${String(cause.stack).slice(0, STACK_BYTES)}`;
    cause = cause.cause;
  }
  return text;
}

function pick(fields: Record<string, unknown>, names: string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const name of names) {
    const value = fields[name];
    if (typeof value === "string") picked[name] = fitText(redactUrls(value), ERROR_FIELD_BYTES);
    if (typeof value === "number" || typeof value === "boolean") picked[name] = value;
  }
  return picked;
}

/** PIPE_BUF: a longer line may be torn by those of other processes. */
const LINE_BYTES = 4_096;
const FIELD_BYTES = 768;

// What a terminal takes for a command, or for another order of the text: C1, DEL, bidirectional controls.
const CONTROLS = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** JSON text in which no control character is left. */
export function escapeControls(json: string): string {
  return json.replace(CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Cuts a line of JSON to 4 kB, its line feed included. The stack of an error comes on top of that. */
export function fitLine(line: string): string {
  const safe = escapeControls(line);
  if (Buffer.byteLength(safe) <= LINE_BYTES) return safe;
  const { message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const failure = Object.values(fields).find(isFailure);
  if (failure !== undefined) {
    failure.message = fitText(failure.message, FIELD_BYTES);
    delete failure.errors;
  }
  const end = typeof message === "string" ? { message: fitText(message, FIELD_BYTES) } : {};
  // The error comes first, so that it is not what there is no room for.
  const isOther = (value: unknown): number => Number(value !== failure);
  const entries = Object.entries(fields).toSorted(([, a], [, b]) => isOther(a) - isOther(b));
  let room = LINE_BYTES + bytesOf(failure?.stack ?? "") - bytesOf(end);
  for (const [name, value] of entries) {
    if (value !== failure && bytesOf(value) > FIELD_BYTES) {
      fields[name] = fitText(
        typeof value === "string" ? value : JSON.stringify(value),
        FIELD_BYTES,
      );
    }
    room -= bytesOf(name) + bytesOf(fields[name]) + 2;
    if (room < 0) delete fields[name];
  }
  return `${escapeControls(JSON.stringify({ ...fields, ...end }))}\n`;
}

/** An error, as `cleanError` leaves it. */
interface Failure {
  message: string;
  stack: string;
  errors?: unknown;
}

function isFailure(value: unknown): value is Failure {
  return typeof (value as Failure | null)?.stack === "string";
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(escapeControls(JSON.stringify(value)));
}

/** Cuts `text` so that it takes at most `limit` bytes as JSON. */
function fitText(text: string, limit: number): string {
  let kept = text.slice(0, Math.max(limit, 0));
  for (let bytes = bytesOf(kept); bytes > limit; bytes = bytesOf(kept)) {
    if (kept.length < 8) return "";
    kept = kept.slice(0, Math.floor((kept.length * limit * 0.9) / bytes));
  }
  return kept.length < text.length ? `${kept.slice(0, -4)}…` : kept;
}
