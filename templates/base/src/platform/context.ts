import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";
import {
  type Context,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

export interface RequestContext {
  readonly requestId: string;
  readonly correlationId: string;
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
}

/** What code finds out about its surroundings: one object, because every further storage costs each request. */
export interface Scope {
  readonly request: RequestContext | undefined;
  /** OpenTelemetry's context, made when somebody asks for it. */
  telemetry: Context | undefined;
}

export const scopes = new AsyncLocalStorage<Scope>();

/** The request that the calling code works for, or undefined outside of any. Holds through await and timers. */
export function currentRequest(): RequestContext | undefined {
  return scopes.getStore()?.request;
}

/** Runs `work`, with these arguments, as part of `request`. */
export function runInRequest<Result, Args extends unknown[]>(
  request: RequestContext,
  work: (...args: Args) => Result,
  ...args: Args
): Result {
  return scopes.run({ request, telemetry: undefined }, work, ...args);
}

/**
 * Runs `work` in a span of its own, below the request's or whatever span is active. The span ends with the work, and says
 * so when the work fails. Log lines of `work` carry the span's id.
 */
export async function inSpan<Result>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => Result | Promise<Result>,
): Promise<Result> {
  return trace.getTracer("service").startActiveSpan(name, options, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      recordFailure(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Marks a span as failed, and adds what was thrown as its exception event. */
export function recordFailure(span: Span, thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(inspect(thrown, { depth: 0 }));
  span.setAttribute("error.type", error.name).setStatus({ code: SpanStatusCode.ERROR });
  span.recordException({ name: error.name, message: error.message, stack: error.stack ?? "" });
}
