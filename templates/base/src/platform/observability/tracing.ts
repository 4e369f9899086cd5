import { randomFillSync } from "node:crypto";
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { type ChannelListener, subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  type Context,
  context,
  type ContextManager,
  createTraceState,
  defaultTextMapGetter,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { isTracingSuppressed, parseTraceParent, W3CBaggagePropagator } from "@opentelemetry/core";
import {
  type IdGenerator,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import { recordFailure, scopes } from "../context.ts";

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
  const above = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
  starting = position;
  try {
    return tracer.startSpan(name, options, above);
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

const SPAN = Symbol("span");

/**
 * Follows the calls that packages such as axios and got make through node:http: each has a span below the active one, and
 * carries the trace on. By the channels on which Node reports them, which cost requests coming in nothing. For `fetch`,
 * OpenTelemetry has an instrumentation.
 */
export function followHttpClient(): Disposable {
  for (const [name, listener] of CHANNELS) subscribe(name, listener);
  return {
    [Symbol.dispose]() {
      for (const [name, listener] of CHANNELS) unsubscribe(name, listener);
    },
  };
}

interface Message {
  request: ClientRequest & { [SPAN]?: Span };
  response: IncomingMessage;
  error: Error;
}

const CHANNELS = [
  ["http.client.request.created", onCreated],
  ["http.client.response.finish", onAnswered],
  ["http.client.request.error", onFailed],
] as [name: string, listener: ChannelListener][];

function onCreated({ request }: Message): void {
  const active = context.active();
  const parent = trace.getSpan(active);
  if (parent === undefined || isTracingSuppressed(active)) return;
  // A client that has a span of its own, such as AWS', needs no second one for the same call.
  if ("kind" in parent && parent.kind === SpanKind.CLIENT) return;
  const url = URL.parse(
    `${request.protocol}//${String(request.getHeader("host") ?? request.host)}`,
  );
  const span = trace.getTracer("http-client").startSpan(request.method, {
    kind: SpanKind.CLIENT,
    attributes: {
      "http.request.method": request.method,
      ...(url !== null && {
        "server.address": url.hostname,
        "server.port": Number(url.port) || (url.protocol === "https:" ? 443 : 80),
        // Without the query, which may carry secrets.
        "url.full": `${url.origin}${request.path.split("?", 1)[0]}`,
      }),
    },
  });
  request[SPAN] = span;
  // Headers given as a list, or with `Expect`, are already on their way.
  if (request.headersSent) return;
  propagation.inject(trace.setSpan(active, span), request, {
    set: (carrier, name, value) => void carrier.setHeader(name, value),
  });
}

function onAnswered({ request, response }: Message): void {
  const span = request[SPAN];
  if (span === undefined) return;
  const status = response.statusCode ?? 0;
  span.setAttribute("http.response.status_code", status);
  if (status >= 400) {
    span.setAttribute("error.type", String(status)).setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

function onFailed({ request, error }: Message): void {
  const span = request[SPAN];
  if (span?.isRecording() !== true) return;
  recordFailure(span, error);
  span.end();
}
