import { subscribe, unsubscribe } from "node:diagnostics_channel";
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
type Request = ClientRequest & { [SPAN]?: Span };

/**
 * Follows the calls that packages such as axios and got make through node:http: each has a span below the active one, and
 * carries the trace on. By the channels that Node reports them to, which cost requests coming in nothing. `fetch` has an
 * instrumentation of OpenTelemetry's own.
 */
export function followHttpClient(): Disposable {
  const created = (message: unknown): void => onCreated((message as { request: Request }).request);
  const answered = (message: unknown): void => onAnswered(message as Answered);
  const failed = (message: unknown): void => onFailed(message as Failed);
  subscribe("http.client.request.created", created);
  subscribe("http.client.response.finish", answered);
  subscribe("http.client.request.error", failed);
  return {
    [Symbol.dispose]() {
      unsubscribe("http.client.request.created", created);
      unsubscribe("http.client.response.finish", answered);
      unsubscribe("http.client.request.error", failed);
    },
  };
}

interface Answered {
  request: Request;
  response: IncomingMessage;
}

interface Failed {
  request: Request;
  error: Error;
}

function onCreated(request: Request): void {
  const active = context.active();
  const parent = trace.getSpan(active);
  if (parent === undefined || isTracingSuppressed(active) || isClient(parent)) return;
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

function onAnswered({ request, response }: Answered): void {
  const span = request[SPAN];
  if (span === undefined) return;
  const status = response.statusCode ?? 0;
  span.setAttribute("http.response.status_code", status);
  if (status >= 400) {
    span.setAttribute("error.type", String(status)).setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

function onFailed({ request, error }: Failed): void {
  const span = request[SPAN];
  if (span?.isRecording() !== true) return;
  recordFailure(span, error);
  span.end();
}

/** A client that has a span of its own, such as AWS', needs no second one for the same call. */
function isClient(span: Span): boolean {
  return (span as { kind?: SpanKind }).kind === SpanKind.CLIENT;
}
