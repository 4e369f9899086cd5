import type { z } from "zod";
import { AppError } from "../errors.ts";
import { compileEvent, createEvent, type EventDefinition } from "./events.ts";
import type { KafkaMetrics } from "./metrics.ts";
import { createMicroBatcher, QueueFullError } from "./micro-batcher.ts";
import type { KafkaPort, OutgoingRecord } from "./port.ts";
import { sendInSpan } from "./record-context.ts";

/** Writes records, single ones joined to batches. */
export interface Publisher {
  /** Checks an event and writes it to `topic`. @returns the event's id. */
  publish<Schema extends z.ZodType>(
    topic: string,
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
  const batcher = createMicroBatcher<OutgoingRecord>((records) => port.send(records), deadlineMs);
  const checks = new WeakMap<EventDefinition, ReturnType<typeof compileEvent>>();

  function checkOf(definition: EventDefinition): ReturnType<typeof compileEvent> {
    let check = checks.get(definition);
    if (check === undefined) checks.set(definition, (check = compileEvent(definition)));
    return check;
  }

  async function write(record: OutgoingRecord): Promise<void> {
    const { topic } = record;
    const end = metrics.publishDuration.startTimer({ topic });
    try {
      await batcher.add(record, sizeOf(record), topic);
      metrics.published.inc({ topic, outcome: "acknowledged" });
    } catch (error) {
      metrics.published.inc({ topic, outcome: "failed" });
      throw error;
    } finally {
      end();
    }
  }

  return {
    async publish(topic, definition, data) {
      const checked = checkOf(definition).safeParse(createEvent(definition.type, data));
      // Whoever publishes has checked what came from outside: this is a mistake of ours.
      if (!checked.success) {
        throw new Error(`an event ${definition.type} breaks its schema`, { cause: checked.error });
      }
      const event = checked.data;
      const key = definition.key?.(event.data as never);
      const record: OutgoingRecord = {
        topic,
        key: key === undefined ? undefined : Buffer.from(key),
        value: Buffer.from(JSON.stringify(event)),
        headers: new Map(),
      };
      if (sizeOf(record) > MAX_RECORD_BYTES) {
        throw new AppError("PAYLOAD_TOO_LARGE", "The event is too large");
      }
      await sendInSpan(record, event.id, () => write(record)).catch(explain);
      return event.id;
    },
    write,
    drain: () => batcher.drain(),
  };
}

function sizeOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, text] of headers) bytes += name.length + text.length;
  return bytes;
}

/** What the caller of a route is told. */
function explain(cause: unknown): never {
  if (cause instanceof QueueFullError) {
    throw new AppError("OVERLOADED", "Too many events at once", {
      cause,
      headers: { "Retry-After": "1" },
    });
  }
  throw new AppError("EXTERNAL_SERVICE_ERROR", "The event could not be stored", { cause });
}
