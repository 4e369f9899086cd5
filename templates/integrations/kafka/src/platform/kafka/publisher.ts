import { z } from "zod";
import { AppError } from "../errors.ts";
import {
  compileEvent,
  createEvent,
  type EventCodec,
  type EventDefinition,
  jsonCodec,
} from "./events.ts";
import type { KafkaMetrics } from "./metrics.ts";
import { createMicroBatcher, type MicroBatcher, QueueFullError } from "./micro-batcher.ts";
import { type KafkaPort, type OutgoingRecord, RecordTooLargeError } from "./port.ts";
import { sendInSpan } from "./record-context.ts";

/** Where events are published, and how they are written there. */
export interface PublishTopic {
  topic: string;
  /** JSON when left out. */
  codec?: EventCodec | undefined;
}

/** Writes records; single ones are joined into batches. */
export interface Publisher {
  /**
   * Checks an event and writes it in the form that its schema reads: a schema that transforms has to be a z.codec.
   * @returns the event's id.
   */
  publish<Schema extends z.ZodType>(
    to: PublishTopic,
    definition: EventDefinition<Schema>,
    data: z.input<Schema>,
  ): Promise<string>;
  /** Writes a record as it is. */
  write(record: OutgoingRecord): Promise<void>;
  /** Sends what waits. */
  drain(): Promise<void>;
}

/** How long a record may take until all in-sync replicas have it. */
const DEADLINE_MS = 5_000;
/** What a broker accepts, less some room for headers. */
const MAX_RECORD_BYTES = 1_000_000;

export function createPublisher(
  port: KafkaPort,
  metrics: KafkaMetrics,
  deadlineMs = DEADLINE_MS,
): Publisher {
  /** One for each topic, so that a topic's trouble holds up no other. */
  const batchers = new Map<string, MicroBatcher<OutgoingRecord>>();
  const checks = new WeakMap<EventDefinition, ReturnType<typeof compileEvent>>();

  function checkOf(definition: EventDefinition): ReturnType<typeof compileEvent> {
    let check = checks.get(definition);
    if (check === undefined) checks.set(definition, (check = compileEvent(definition)));
    return check;
  }

  function batcherOf(topic: string): MicroBatcher<OutgoingRecord> {
    let batcher = batchers.get(topic);
    if (batcher === undefined) {
      batcher = createMicroBatcher(
        (records) => port.send(records),
        deadlineMs,
        (error) => error instanceof RecordTooLargeError,
      );
      batchers.set(topic, batcher);
    }
    return batcher;
  }

  async function write(record: OutgoingRecord): Promise<void> {
    const { topic } = record;
    const end = metrics.publishDuration.startTimer({ topic });
    try {
      await batcherOf(topic).add(record, sizeOf(record));
      metrics.published.inc({ topic, outcome: "acknowledged" });
    } catch (error) {
      metrics.published.inc({ topic, outcome: "failed" });
      throw error;
    } finally {
      end();
    }
  }

  return {
    async publish({ topic, codec = jsonCodec }, definition, data) {
      const check = checkOf(definition);
      const checked = check.safeParse(createEvent(definition.type, data));
      // The publisher has checked its input before: this is a mistake of ours.
      if (!checked.success) {
        throw new Error(`an event ${definition.type} breaks its schema`, { cause: checked.error });
      }
      const event = checked.data;
      const key = definition.key?.(event.data as never);
      const { value, headers = {} } = codec.encode(z.encode(check, event));
      const record: OutgoingRecord = {
        topic,
        key: key === undefined ? undefined : Buffer.from(key),
        value,
        headers: Object.entries(headers),
      };
      if (sizeOf(record) > MAX_RECORD_BYTES) throw tooLarge();
      await sendInSpan(record, event.id, () => write(record)).catch(explain);
      return event.id;
    },
    write,
    async drain() {
      await Promise.all(batchers.values().map((batcher) => batcher.drain()));
    },
  };
}

/** Approximately, in bytes. */
export function sizeOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, text] of headers) bytes += name.length + (text?.length ?? 0);
  return bytes;
}

function tooLarge(cause?: unknown): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", "The event is too large", { cause });
}

/** What the caller of a route is told. */
function explain(cause: unknown): never {
  if (cause instanceof RecordTooLargeError) throw tooLarge(cause);
  if (cause instanceof QueueFullError) {
    throw new AppError("OVERLOADED", "Too many events at once", {
      cause,
      headers: { "Retry-After": "1" },
    });
  }
  throw new AppError("EXTERNAL_SERVICE_ERROR", "The event could not be stored", { cause });
}
