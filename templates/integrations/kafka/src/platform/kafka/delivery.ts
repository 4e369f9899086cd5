import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { SpanStatusCode } from "@opentelemetry/api";
import type { z } from "zod";
import { runInRequest } from "../context.ts";
import type { ServiceDeps } from "../lifespan.ts";
import type { Logger } from "../logging.ts";
import { backoff } from "../timing.ts";
import { type DeadLetterReason, type Kept, toDeadLetter } from "./dead-letters.ts";
import { HandlerCall, type HandlerDeadlines } from "./deadlines.ts";
import {
  compileEvent,
  completeEvent,
  type EncodedEvent,
  type Event,
  type EventCodec,
  type EventDefinition,
  jsonCodec,
  PoisonError,
} from "./events.ts";
import type { KafkaMetrics } from "./metrics.ts";
import { type KafkaRecord, type OutgoingRecord, RecordTooLargeError } from "./port.ts";
import { contextOf, contextOfBatch, type RecordContext, textHeaders } from "./record-context.ts";

/** What a handler may use besides the event. */
export interface HandlerContext {
  deps: ServiceDeps;
  log: Logger;
  /** Aborted when the handler has run for too long: its event is then tried again, or is a dead letter. */
  signal: AbortSignal;
}

/** A type of events and what is done with each of them. */
export interface SingleHandler {
  definition: EventDefinition;
  handle(event: Event<never>, context: HandlerContext): Promise<void> | void;
}

/** A type of events and what is done with many of them at once. */
export interface BatchHandler {
  definition: EventDefinition;
  handleBatch(events: Event<never>[], context: HandlerContext): Promise<void> | void;
  maxEvents: number;
  maxWaitMs: number;
}

export type EventHandler = SingleHandler | BatchHandler;

/**
 * Declares what is done with the events of a type. It may be called again with the same event, after a failure or a
 * crash, and must bear that. When it throws or does not end in time, it is retried three times; then the event is a dead
 * letter.
 */
export function onEvent<Schema extends z.ZodType>(
  definition: EventDefinition<Schema>,
  handle: (event: Event<z.output<Schema>>, context: HandlerContext) => Promise<void> | void,
): SingleHandler {
  return { definition, handle };
}

/** How events are gathered for a batch handler. */
export interface BatchOptions {
  /** 500 when left out. */
  maxEvents?: number;
  /** From the first event on; 3,000 when left out. */
  maxWaitMs?: number;
}

/**
 * As `onEvent`, for work that is cheaper in bulk: it gets events of one partition that follow each other, in order. A
 * batch that has failed four times is handed over again event by event, and only what fails alone is a dead letter.
 */
export function onBatch<Schema extends z.ZodType>(
  definition: EventDefinition<Schema>,
  handleBatch: (events: Event<z.output<Schema>>[], context: HandlerContext) => Promise<void> | void,
  { maxEvents = 500, maxWaitMs = 3_000 }: BatchOptions = {},
): BatchHandler {
  return { definition, handleBatch, maxEvents, maxWaitMs };
}

/** What becomes of events that no handler is there for. */
export type UnknownTypes = "ignore" | "deadLetter";

/** What a record turned out to be. */
export type Task = { record: KafkaRecord } & (
  | { kind: "skip"; outcome: "tombstone" | "ignored" }
  | { kind: "poison"; reason: DeadLetterReason }
  | { kind: "event"; handler: EventHandler; event: Event<never> }
);

/** A record with an event in it. */
export type EventTask = Extract<Task, { kind: "event" }>;

/** What the processing of records needs. */
export interface DeliveryOptions {
  handlers: readonly EventHandler[];
  deps: ServiceDeps;
  group: string;
  metrics: KafkaMetrics;
  deadlines: HandlerDeadlines;
  /** Writes to the dead letter topic. */
  write(record: OutgoingRecord): Promise<void>;
  codec?: EventCodec;
  unknownTypes?: UnknownTypes;
  /** Before the first retry; it doubles with each. */
  retryMs?: number;
}

/** How records are processed. Each promise rejects when `signal` ended a wait, or a dead letter cannot be written. */
export interface Delivery {
  /** Decodes and checks a record. */
  read(record: KafkaRecord): Task;
  /** Processes one to its end. @param retries after the first call; 0 when its dead letter could not be written. */
  deliver(task: Task, signal: AbortSignal, retries?: number): Promise<void>;
  /** The same for events of one batch handler. */
  deliverBatch(tasks: readonly EventTask[], signal: AbortSignal): Promise<void>;
}

type Call = (context: HandlerContext) => Promise<void> | void;

export const RETRIES = 3;
const FIRST_RETRY_MS = 250;
const KEPT: Kept[] = ["everything", "headers", "nothing"];

/** Decodes, checks, hands over to the handler of its type, retries, and writes dead letters. */
export function createDelivery({
  handlers,
  deps,
  group,
  metrics,
  deadlines,
  write,
  codec = jsonCodec,
  unknownTypes = "deadLetter",
  retryMs = FIRST_RETRY_MS,
}: DeliveryOptions): Delivery {
  const { log, settings } = deps;
  const ratio = settings.OTEL_TRACES_SAMPLER_ARG;
  const byType = new Map(
    handlers.map((handler) => [
      handler.definition.type,
      { handler, schema: compileEvent(handler.definition) },
    ]),
  );

  function read(record: KafkaRecord): Task {
    if (record.value === undefined) return { record, kind: "skip", outcome: "tombstone" };
    try {
      const encoded: EncodedEvent = {
        ...record,
        value: record.value,
        headers: textHeaders(record),
      };
      const decoded = codec.decode(encoded);
      const known = byType.get(decoded.type);
      if (known === undefined) {
        if (unknownTypes === "ignore") return { record, kind: "skip", outcome: "ignored" };
        throw new PoisonError("unknown_type", `no handler for events of the type ${decoded.type}`);
      }
      const checked = known.schema.safeParse(completeEvent(decoded, encoded));
      if (!checked.success) {
        const { error: cause } = checked;
        throw new PoisonError("malformed", "the event breaks its schema", { cause });
      }
      return { record, kind: "event", handler: known.handler, event: checked.data as Event<never> };
    } catch (error) {
      return { record, kind: "poison", reason: malformed(error) };
    }
  }

  /** Calls a handler until it succeeds. @returns why it never did. */
  async function attempt(
    call: Call,
    record: KafkaRecord,
    retries: number,
    signal: AbortSignal,
  ): Promise<DeadLetterReason | undefined> {
    for (let attempts = 1; ; attempts += 1) {
      try {
        const context = new HandlerCall(deps, log);
        const result = call(context);
        if (result !== undefined) await deadlines.limit(result, context);
        return undefined;
      } catch (thrown) {
        const error = asError(thrown);
        if (attempts > retries) return { reason: "handler_failed", error, attempts };
        log[attempts === 1 ? "warn" : "debug"](
          { error, attempts },
          "event handler failed; it is called again",
        );
        metrics.retries.inc({ topic: record.topic });
        await delay(backoff(attempts, { firstMs: retryMs }), undefined, { signal });
      }
    }
  }

  async function writeLetter(record: KafkaRecord, reason: DeadLetterReason): Promise<void> {
    for (const [index, kept] of KEPT.entries()) {
      try {
        await write(toDeadLetter(record, reason, kept));
        break;
      } catch (error) {
        if (!(error instanceof RecordTooLargeError) || index === KEPT.length - 1) throw error;
        log.warn({ error, kept }, "dead letter is too large; it is written with less");
      }
    }
    const { topic, partition, offset } = record;
    metrics.deadLetters.inc({ topic, reason: reason.reason });
    metrics.consumed.inc({ topic, outcome: "dead_letter" });
    log.error({ ...reason, topic, partition, offset: Number(offset) }, "event is a dead letter");
  }

  async function process(
    task: Task,
    context: RecordContext,
    retries: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { record } = task;
    let reason: DeadLetterReason | undefined;
    try {
      if (task.kind === "poison") ({ reason } = task);
      if (task.kind === "event") {
        const { handler, event } = task;
        const call: Call =
          "handle" in handler
            ? (given) => handler.handle(event, given)
            : (given) => handler.handleBatch([event], given);
        reason = await attempt(call, record, retries, signal);
      }
    } finally {
      endSpan(context, reason);
    }
    if (reason === undefined) metrics.consumed.inc({ topic: record.topic, outcome: "processed" });
    else await writeLetter(record, reason);
  }

  function deliver(task: Task, signal: AbortSignal, retries = RETRIES): Promise<void> {
    const { record } = task;
    if (task.kind === "skip") {
      metrics.consumed.inc({ topic: record.topic, outcome: task.outcome });
      return Promise.resolve();
    }
    const context = contextOf(record, group, ratio);
    return runInRequest(context, process, task, context, retries, signal);
  }

  async function deliverBatch(tasks: readonly EventTask[], signal: AbortSignal): Promise<void> {
    const [{ handler, record }] = tasks as [EventTask];
    if (!("handleBatch" in handler)) throw new Error("not the tasks of a batch handler");
    const records = tasks.map((task) => task.record);
    const context = contextOfBatch(records, group, ratio);
    const events = tasks.map(({ event }) => event);
    const call: Call = (given) => handler.handleBatch(events, given);
    const reason = await runInRequest(context, attempt, call, record, RETRIES, signal);
    endSpan(context, reason);
    if (reason === undefined) {
      metrics.consumed.inc({ topic: record.topic, outcome: "processed" }, tasks.length);
    } else {
      log.warn({ ...reason, events: tasks.length }, "a batch failed; its events are tried alone");
      for (const task of tasks) await deliver(task, signal, 0);
    }
  }

  return { read, deliver, deliverBatch };
}

function endSpan({ span }: RecordContext, reason: DeadLetterReason | undefined): void {
  if (span === undefined) return;
  if (reason !== undefined) {
    span.recordException(reason.error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: reason.error.message });
  }
  span.end();
}

/** An exception from a codec or a schema counts as malformed, too: a retry cannot help. */
function malformed(thrown: unknown): DeadLetterReason {
  const error = asError(thrown);
  return { reason: error instanceof PoisonError ? error.reason : "malformed", error, attempts: 0 };
}

function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(typeof thrown === "string" ? thrown : inspect(thrown));
}
