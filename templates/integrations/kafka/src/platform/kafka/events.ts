import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import { z } from "zod";

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
  /** When it was published: ISO 8601. */
  time: string;
  data: Data;
}

/** Declares a type of events. It only gives publishers and handlers their types. */
export function defineEvent<Schema extends z.ZodType>(
  definition: EventDefinition<Schema>,
): EventDefinition<Schema> {
  return definition;
}

/** A record that no repetition would make better. */
export class PoisonError extends Error {
  override readonly name = "PoisonError";
  readonly reason: "malformed" | "unknown_type";

  constructor(reason: PoisonError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Compiles the check of an event's data; `parse` throws where it breaks the schema. */
export function compileEvent<Schema extends z.ZodType>({ type, schema }: EventDefinition<Schema>) {
  return z.compile(
    z.object({
      id: z.string().min(1),
      type: z.literal(type),
      time: z.iso.datetime(),
      data: schema,
    }),
  );
}

/** A new event of a type. */
export function createEvent<Data>(type: string, data: Data): Event<Data> {
  return { id: randomUUID(), type, time: new Date().toISOString(), data };
}

/** The JSON in a record's value, with its type, and no more checked than that. */
export function readEnvelope(value: Buffer): { type: string } {
  if (!isUtf8(value)) throw new PoisonError("malformed", "the value is not UTF-8");
  const envelope = parse(value.toString("utf8"));
  if (!isTyped(envelope)) {
    throw new PoisonError("malformed", "the value is no event: it has no type");
  }
  return envelope;
}

function isTyped(value: unknown): value is { type: string } {
  return typeof (value as { type?: unknown } | null)?.type === "string";
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PoisonError("malformed", "the value is not JSON", { cause });
  }
}
