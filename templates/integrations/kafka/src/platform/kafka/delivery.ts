import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { SpanStatusCode } from "@opentelemetry/api";
import type { z } from "zod";
import type { ServiceDeps } from "../lifespan.ts";
import { runInRequest } from "../context.ts";
import type { Logger } from "../logging.ts";
import { toDeadLetter, type Verdict } from "./dead-letters.ts";
import {
  compileEvent,
  type Event,
  type EventDefinition,
  PoisonError,
  readEnvelope,
} from "./events.ts";
import type { KafkaMetrics } from "./metrics.ts";
import type { KafkaRecord, OutgoingRecord } from "./port.ts";
import { contextOf, type RecordContext } from "./record-context.ts";

/** What a handler may use beside the event. */
export interface HandlerContext {
  deps: ServiceDeps;
  log: Logger;
}

/** A type of events and what is done with each of them. */
export interface EventHandler {
  definition: EventDefinition;
  handle(event: Event<never>, context: HandlerContext): Promise<void> | void;
}

/**
 * Declares what is done with the events of a type. It may be called again with the same event, after a failure or a
 * crash, and must bear that. What it throws is retried three times; then the event is a dead letter.
 */
export function onEvent<Schema extends z.ZodType>(
  definition: EventDefinition<Schema>,
  handle: (event: Event<z.output<Schema>>, context: HandlerContext) => Promise<void> | void,
): EventHandler {
  return { definition, handle };
}

/** What the processing of records needs. */
export interface DeliveryOptions {
  handlers: readonly EventHandler[];
  deps: ServiceDeps;
  group: string;
  metrics: KafkaMetrics;
  /** Writes to the dead letter topic. */
  write(record: OutgoingRecord): Promise<void>;
  /** Before the first repetition; it doubles with each. */
  retryMs?: number;
}

/**
 * Processes one record to its end. Throws only when its dead letter cannot be written, or when `signal` ended the wait
 * for another call of its handler: then it is not done.
 */
export type Deliver = (record: KafkaRecord, signal?: AbortSignal) => Promise<void>;

type Call = () => Promise<void> | void;

const RETRIES = 3;
const FIRST_RETRY_MS = 250;

/** Checks, hands over to the handler of its type, repeats, and buries a record. */
export function createDelivery({
  handlers,
  deps,
  group,
  metrics,
  write,
  retryMs = FIRST_RETRY_MS,
}: DeliveryOptions): Deliver {
  const { log, settings } = deps;
  const context = { deps, log };
  const ratio = settings.OTEL_TRACES_SAMPLER_ARG;
  const byType = new Map(
    handlers.map(({ definition, handle }) => [
      definition.type,
      { handle, schema: compileEvent(definition) },
    ]),
  );

  /** The last offset whose handler has failed, by partition. */
  const failing = new Map<number, bigint>();

  function check(value: Buffer): Call {
    const envelope = readEnvelope(value);
    const known = byType.get(envelope.type);
    if (known === undefined) {
      throw new PoisonError("unknown_type", `no handler for events of the type ${envelope.type}`);
    }
    const checked = known.schema.safeParse(envelope);
    if (checked.success) return () => known.handle(checked.data as Event<never>, context);
    throw new PoisonError("malformed", "the event breaks its schema", { cause: checked.error });
  }

  /** Calls a handler that has failed three times more. @returns why the record has to be given up, if so. */
  async function repeat(
    handle: Call,
    record: KafkaRecord,
    thrown: unknown,
    signal: AbortSignal | undefined,
  ): Promise<Verdict | undefined> {
    let error = asError(thrown);
    for (let attempts = 1; attempts <= RETRIES; attempts += 1) {
      const level = isNews(record) ? "warn" : "debug";
      log[level]({ error, attempts }, "event handler failed; it is called again");
      metrics.retries.inc({ topic: record.topic });
      // Half of it by chance, so that those that failed together do not come back together.
      const waitMs = retryMs * 2 ** (attempts - 1) * (0.5 + Math.random() / 2);
      await delay(waitMs, undefined, signal && { signal });
      try {
        await handle();
        return undefined;
      } catch (again) {
        error = asError(again);
      }
    }
    return { reason: "handler_failed", error, attempts: RETRIES + 1 };
  }

  /** Whether it fails for the first time, here at least: it comes again while its dead letter cannot be written. */
  function isNews({ partition, offset }: KafkaRecord): boolean {
    const known = failing.get(partition) === offset;
    failing.set(partition, offset);
    return !known;
  }

  async function bury(record: KafkaRecord, verdict: Verdict): Promise<void> {
    const { topic, partition, offset } = record;
    const { reason, error, attempts } = verdict;
    await write(toDeadLetter(record, verdict));
    metrics.deadLetters.inc({ topic, reason });
    metrics.consumed.inc({ topic, outcome: "dead_letter" });
    log.error(
      { error, reason, attempts, topic, partition, offset: Number(offset) },
      "event is a dead letter",
    );
  }

  async function process(
    record: KafkaRecord,
    value: Buffer,
    surroundings: RecordContext,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let verdict: Verdict | undefined;
    let handle: Call | undefined;
    try {
      handle = check(value);
      await handle();
    } catch (error) {
      verdict = handle ? await repeat(handle, record, error, signal) : unreadable(error);
    }
    endSpan(surroundings, verdict);
    if (verdict === undefined) metrics.consumed.inc({ topic: record.topic, outcome: "processed" });
    else await bury(record, verdict);
  }

  return async (record, signal) => {
    const { topic, value } = record;
    if (value === undefined) return metrics.consumed.inc({ topic, outcome: "tombstone" });
    const surroundings = contextOf(record, group, ratio);
    return runInRequest(surroundings, process, record, value, surroundings, signal);
  };
}

function endSpan({ span }: RecordContext, verdict: Verdict | undefined): void {
  if (span === undefined) return;
  if (verdict !== undefined) {
    span.recordException(verdict.error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: verdict.error.message });
  }
  span.end();
}

/** What a schema of ours throws over a record, instead of refusing it, no repetition makes better either. */
function unreadable(thrown: unknown): Verdict {
  const error = asError(thrown);
  return { reason: error instanceof PoisonError ? error.reason : "malformed", error, attempts: 0 };
}

function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(typeof thrown === "string" ? thrown : inspect(thrown));
}
