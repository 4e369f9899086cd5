import { type ChannelListener, subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";
import {
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { isTracingSuppressed } from "@opentelemetry/core";
import { recordFailure } from "../context.ts";

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
