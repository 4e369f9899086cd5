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
  trace,
  TraceFlags,
  type TraceState,
} from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";

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
 * caller's decision. Probes are never sampled: they come every few seconds for ever and say nothing.
 */
export function createTracing(ratio: number): Tracing {
  const tracer = trace.getTracer("http-server");
  return {
    begin(headers, name, path, attributes) {
      const parent = headers.traceparent === undefined ? undefined : parentOf(headers);
      const sampled = parent === undefined ? Math.random() < ratio : isSampled(parent);
      if (!sampled || path.startsWith("/health")) {
        const hex = randomHex(24);
        const traceId = parent?.traceId ?? hex.slice(16);
        return {
          traceId,
          spanId: hex.slice(0, 16),
          traceState: parent?.traceState,
          span: undefined,
        };
      }
      const context = (
        parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
      ).setValue(SAMPLED, true);
      const span = tracer.startSpan(
        name,
        { kind: SpanKind.SERVER, attributes: attributes() },
        context,
      );
      const { traceId, spanId, traceState } = span.spanContext();
      return { traceId, spanId, traceState, span };
    },
  };
}

/** The span that `headers` name as the parent. */
export function parentOf(headers: IncomingHttpHeaders): SpanContext | undefined {
  const parent = parseTraceParent(headers.traceparent as string);
  if (parent === null) return undefined;
  parent.isRemote = true;
  if (headers.tracestate !== undefined)
    parent.traceState = createTraceState(headers.tracestate.toString());
  return parent;
}

export function isSampled(parent: SpanContext): boolean {
  return (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
}

const pool = Buffer.alloc(4_096);
let used = pool.length;

/** `bytes` random bytes in hex, drawn from a pool because asking the kernel for each id is slow. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString("hex", used - bytes, used);
}
