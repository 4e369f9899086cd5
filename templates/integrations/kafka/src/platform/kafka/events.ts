import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { limitFaults } from "../http/schemas.ts";

/** What events of one type look like. */
export interface EventDefinition<Schema extends z.ZodType = z.ZodType> {
  /** Such as `receipt.scanned`: stands in every event, and says which handler gets it. */
  type: string;
  schema: Schema;
  /** Events with equal keys are handled in order. Without it, an event may overtake any other. */
  key?(data: z.output<Schema>): string;
}

/** An event as handlers see it: checked. */
export interface Event<Data = unknown> {
  /** The same when it comes a second time, which after a crash it may. */
  id: string;
  type: string;
  /** When it was published: RFC 3339, as its publisher wrote it. */
  time: string;
  data: Data;
}

/** Declares a type of events. It only gives publishers and handlers their types. */
export function defineEvent<Schema extends z.ZodType>(
  definition: EventDefinition<Schema>,
): EventDefinition<Schema> {
  return definition;
}

/** A record that cannot become an event, however often it is tried. A codec may throw it, too. */
export class PoisonError extends Error {
  override readonly name = "PoisonError";
  readonly reason: "malformed" | "unknown_type";

  constructor(reason: PoisonError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** A record of a topic, for a codec to read. */
export interface EncodedEvent {
  topic: string;
  partition: number;
  offset: bigint;
  /** Milliseconds since 1970. */
  timestamp: bigint;
  key: Buffer | undefined;
  value: Buffer;
  /** By name in lower case; of a name that comes several times the last one. */
  headers: Readonly<Record<string, string>>;
}

/** What a codec finds in a record. */
export interface DecodedEvent {
  type: string;
  data: unknown;
  /** When left out: the header `event-id`, or else `<topic>/<partition>/<offset>`. */
  id?: unknown;
  /** When left out: the header `event-time`, or else the record's own time. */
  time?: unknown;
}

/** How the events of a topic are written into records. */
export interface EventCodec {
  /** Whatever it throws makes the record malformed. */
  decode(record: EncodedEvent): DecodedEvent;
  encode(event: Event): { value: Buffer; headers?: Record<string, string> };
}

/** The codec of topics that name no other: the JSON `{"id", "type", "time", "data"}`. */
export const jsonCodec: EventCodec = {
  decode({ value }) {
    const envelope = parseJson(value);
    if (isTyped(envelope)) return envelope;
    throw new PoisonError("malformed", "the value is not an event: it has no type");
  },
  encode: (event) => ({ value: Buffer.from(JSON.stringify(event)) }),
};

/** The JSON in a record's value. @throws {PoisonError} */
export function parseJson(value: Buffer): unknown {
  if (!isUtf8(value)) throw new PoisonError("malformed", "the value is not UTF-8");
  try {
    return JSON.parse(value.toString("utf8"));
  } catch (cause) {
    throw new PoisonError("malformed", "the value is not JSON", { cause });
  }
}

// With a space or without seconds, as some languages print it, and with any offset from UTC.
const TIME =
  /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:(?<second>\d{2})([.,]\d+)?)?([Zz]|[+-]\d{2}:?\d{2})$/;

const time = z.string().refine(isTime, "must be a time with its offset, as in RFC 3339");

function isTime(text: string): boolean {
  const parts = TIME.exec(text);
  if (parts === null) return false;
  // A leap second is one in RFC 3339, and none in JavaScript.
  const seconds = parts.groups?.["second"] === "60" ? text.replace(":60", ":59") : text;
  return !Number.isNaN(Date.parse(seconds.replace(",", ".")));
}

/** Compiles the check of an event; `parse` throws where it breaks the schema. */
export function compileEvent<Schema extends z.ZodType>({ type, schema }: EventDefinition<Schema>) {
  const event = z.object({ id: z.string().min(1), type: z.literal(type), time, data: schema });
  limitFaults(event);
  return z.compile(event);
}

/** A new event of a type. */
export function createEvent<Data>(type: string, data: Data): Event<Data> {
  return { id: randomUUID(), type, time: new Date().toISOString(), data };
}

/** Fills in the id and the time of an event that brings none: first from the headers, then from its record. */
export function completeEvent(decoded: DecodedEvent, record: EncodedEvent): DecodedEvent {
  const { topic, partition, offset, timestamp, headers } = record;
  const { id, time: written } = decoded;
  return {
    type: decoded.type,
    data: decoded.data,
    id: id ?? (headers["event-id"] || `${topic}/${partition}/${offset}`),
    time: written ?? (headers["event-time"] || timeText(timestamp)),
  };
}

/** A record's time. Publishers choose it, and not all of them mean milliseconds. */
export function timeText(timestamp: bigint): string {
  const date = new Date(Number(timestamp));
  return Number.isNaN(date.getTime()) ? String(timestamp) : date.toISOString();
}

function isTyped(value: unknown): value is DecodedEvent {
  return typeof (value as { type?: unknown } | null)?.type === "string";
}
