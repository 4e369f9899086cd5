import { randomFillSync } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import {
  type Attributes,
  createContextKey,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanContext,
  type SpanOptions,
  trace,
  TraceFlags,
  type Tracer,
  type TraceState,
} from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import { isProbe } from "./health.ts";

/** The place of a request in its trace. */
export interface TracePosition {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: TraceState | undefined;
  /** There only when the request is sampled: most are not, and then nothing of a span is made. */
  readonly span: Span | undefined;
}

/** Marks a context whose sampling is decided: the SDK's sampler must not throw the dice a second time. */
export const SAMPLED = createContextKey("sampled");

/** Decides on each inbound request whether it is traced, and starts its span if so. */
export interface Tracing {
  begin(
    headers: IncomingHttpHeaders,
    name: string,
    path: string,
    attributes: () => Attributes,
  ): TracePosition;
}

/**
 * @param ratio share of the traces that start here and are sampled, 0 to 1. A trace that started elsewhere keeps its
 * caller's decision. Probes are never sampled.
 */
export function createTracing(ratio: number): Tracing {
  const tracer = trace.getTracer("http-server");
  return {
    begin: (headers, name, path, attributes) =>
      isProbe(path)
        ? unsampled(parentOf(headers))
        : beginSpan(tracer, headers, ratio, () => ({
            name,
            kind: SpanKind.SERVER,
            attributes: attributes(),
          })),
  };
}

/** Decides whether what came with `headers` is traced, as `createTracing` says, and starts its span if so. */
export function beginSpan(
  tracer: Tracer,
  headers: IncomingHttpHeaders,
  ratio: number,
  describe: () => SpanOptions & { name: string },
): TracePosition {
  const parent = parentOf(headers);
  const sampled = parent === undefined ? Math.random() < ratio : isSampled(parent);
  if (!sampled) return unsampled(parent);
  const context = (
    parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
  ).setValue(SAMPLED, true);
  const { name, ...options } = describe();
  const span = tracer.startSpan(name, options, context);
  const { traceId, spanId, traceState } = span.spanContext();
  return { traceId, spanId, traceState, span };
}

function unsampled(parent: SpanContext | undefined): TracePosition {
  const hex = randomHex(24);
  const traceId = parent?.traceId ?? hex.slice(16);
  return { traceId, spanId: hex.slice(0, 16), traceState: parent?.traceState, span: undefined };
}

/** The span that `headers` name as the parent. */
function parentOf(headers: IncomingHttpHeaders): SpanContext | undefined {
  const { traceparent, tracestate } = headers;
  const parent = typeof traceparent === "string" ? parseTraceParent(traceparent) : null;
  if (parent === null) return undefined;
  parent.isRemote = true;
  if (tracestate !== undefined) parent.traceState = createTraceState(tracestate.toString());
  return parent;
}

function isSampled(parent: SpanContext): boolean {
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
