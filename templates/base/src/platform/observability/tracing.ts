import { randomFillSync } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import {
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import type { IdGenerator } from "@opentelemetry/sdk-trace";

/** The place of a request in its trace. */
export interface TracePosition {
  readonly traceId: string;
  readonly spanId: string;
  /** The caller's span; undefined when the trace starts here. */
  readonly parent: SpanContext | undefined;
  readonly isSampled: boolean;
}

/**
 * Places a request in the trace that `headers` name, or in a new one.
 * @param ratio share of the traces that start here and are sampled, 0 to 1. A trace that started elsewhere keeps its
 * caller's decision.
 */
export function placeInTrace(headers: IncomingHttpHeaders, ratio: number): TracePosition {
  const parent = parentOf(headers);
  const hex = randomHex(24);
  return {
    traceId: parent?.traceId ?? hex.slice(16),
    spanId: hex.slice(0, 16),
    parent,
    isSampled: parent === undefined ? Math.random() < ratio : hasSampledFlag(parent),
  };
}

let starting: TracePosition | undefined;

/** Starts the span of a sampled position, with the ids that were given out for it. */
export function startSpanAt(
  position: TracePosition,
  tracer: Tracer,
  name: string,
  options: SpanOptions,
): Span {
  const { parent } = position;
  const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
  starting = position;
  try {
    return tracer.startSpan(name, options, context);
  } finally {
    starting = undefined;
  }
}

/** Whether `startSpanAt` is at work: then it is decided that the span is sampled. */
export function isDecided(): boolean {
  return starting !== undefined;
}

/** Ids of new spans, for the SDK: those of the position at hand, or random ones. */
export const idGenerator: IdGenerator = {
  generateTraceId: () => starting?.traceId ?? randomHex(16),
  generateSpanId: () => starting?.spanId ?? randomHex(8),
};

/** The span that `headers` name as the parent. */
function parentOf(headers: IncomingHttpHeaders): SpanContext | undefined {
  const { traceparent, tracestate } = headers;
  const parent = typeof traceparent === "string" ? parseTraceParent(traceparent) : null;
  if (parent === null) return undefined;
  parent.isRemote = true;
  if (tracestate !== undefined) parent.traceState = createTraceState(tracestate.toString());
  return parent;
}

function hasSampledFlag(parent: SpanContext): boolean {
  return (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
}

const pool = Buffer.alloc(4_096);
let used = pool.length;

/** `bytes` random bytes in hex, drawn from a pool because asking the kernel for each id is slow. */
function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString("hex", used - bytes, used);
}
