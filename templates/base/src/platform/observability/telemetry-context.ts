import {
  type Context,
  type ContextManager,
  ROOT_CONTEXT,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import { scopes } from "../context.ts";
import type { Exchange } from "../http/requests.ts";

/**
 * Lets OpenTelemetry live in the scope that a request has anyway. Its own manager would open a second storage, and a
 * context for each request whether or not anybody looks at it.
 */
export const telemetryContext: ContextManager = {
  active() {
    const scope = scopes.getStore();
    if (scope === undefined) return ROOT_CONTEXT;
    scope.telemetry ??= contextOf(scope.request as Exchange | undefined);
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
  enable: () => telemetryContext,
  disable: () => telemetryContext,
};

function contextOf(exchange: Exchange | undefined): Context {
  if (exchange === undefined) return ROOT_CONTEXT;
  const { span, traceId, spanId, parent } = exchange;
  if (span !== undefined) return trace.setSpan(ROOT_CONTEXT, span);
  const unsampled = { traceId, spanId, traceFlags: TraceFlags.NONE };
  const traceState = parent?.traceState;
  return trace.setSpanContext(
    ROOT_CONTEXT,
    traceState === undefined ? unsampled : { ...unsampled, traceState },
  );
}
