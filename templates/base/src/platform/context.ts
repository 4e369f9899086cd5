import { AsyncLocalStorage } from "node:async_hooks";
import type { Context } from "@opentelemetry/api";

/** What is known of the request that the running code works for. */
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
