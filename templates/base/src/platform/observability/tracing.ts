import { randomFillSync } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import {
  type Context,
  type ContextManager,
  createTraceState,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { parseTraceParent, W3CBaggagePropagator } from "@opentelemetry/core";
import {
  type IdGenerator,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import { scopes } from "../context.ts";

export interface TracePosition {
  readonly traceId: string;
  readonly spanId: string;
  /** The caller's span; undefined when the trace starts here. */
  readonly parent: SpanContext | undefined;
  readonly isSampled: boolean;
}

/** What OpenTelemetry's context is made from: a request, or a record of Kafka's. */
interface Traced extends TracePosition {
  /** There only when it is sampled. */
  readonly span: Span | undefined;
  /** The caller's `baggage` header, for the calls that follow. */
  readonly baggage?: string | undefined;
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
    isSampled:
      parent === undefined ? Math.random() < ratio : (parent.traceFlags & TraceFlags.SAMPLED) !== 0,
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

const SAMPLED = { decision: SamplingDecision.RECORD_AND_SAMPLED };

/** For the SDK: a span that is started at a position was decided on when that was made. */
export function createSampler(ratio: number): Sampler {
  const others = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  return {
    shouldSample: (...span) => (starting === undefined ? others.shouldSample(...span) : SAMPLED),
    toString: () => others.toString(),
  };
}

/** Ids of new spans, for the SDK: those of the position that is being started, or random ones. */
export const idGenerator: IdGenerator = {
  generateTraceId: () => starting?.traceId ?? randomHex(16),
  generateSpanId: () => starting?.spanId ?? randomHex(8),
};

/**
 * Keeps OpenTelemetry's context in the scope that a request has anyway. The SDK's own manager would open a second
 * storage, and make a context for each request whether or not anybody looks at it.
 */
export const contextManager: ContextManager = {
  active() {
    const scope = scopes.getStore();
    if (scope === undefined) return ROOT_CONTEXT;
    scope.telemetry ??= contextOf(scope.request as Traced | undefined);
    return scope.telemetry;
  },
  with(telemetry, work, thisArg, ...args) {
    const request = scopes.getStore()?.request;
    return scopes.run({ request, telemetry }, () => work.apply(thisArg!, args));
  },
  bind(telemetry, target) {
    if (typeof target !== "function") return target;
    const request = scopes.getStore()?.request;
    const bound = (...args: unknown[]): unknown =>
      scopes.run({ request, telemetry }, () => target(...args));
    return bound as typeof target;
  },
  enable: () => contextManager,
  disable: () => contextManager,
};

const baggagePropagator = new W3CBaggagePropagator();

function contextOf(traced: Traced | undefined): Context {
  if (traced === undefined) return ROOT_CONTEXT;
  const { span, traceId, spanId, parent, baggage } = traced;
  const start = baggagePropagator.extract(ROOT_CONTEXT, { baggage }, defaultTextMapGetter);
  if (span !== undefined) return trace.setSpan(start, span);
  const traceState = parent?.traceState && { traceState: parent.traceState };
  return trace.setSpanContext(start, {
    traceId,
    spanId,
    traceFlags: TraceFlags.NONE,
    ...traceState,
  });
}

function parentOf(headers: IncomingHttpHeaders): SpanContext | undefined {
  const { traceparent, tracestate } = headers;
  const parent = typeof traceparent === "string" ? parseTraceParent(traceparent) : null;
  if (parent === null) return undefined;
  parent.isRemote = true;
  if (tracestate !== undefined) parent.traceState = createTraceState(tracestate.toString());
  return parent;
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
