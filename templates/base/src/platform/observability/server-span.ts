import type { IncomingMessage } from "node:http";
import { type Attributes, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { recordFailure, type RequestContext } from "../context.ts";
import { startSpanAt, type Traced } from "./tracing.ts";

/** What the span and the access line of a request are made from. */
export interface TrackedRequest extends RequestContext, Traced {
  readonly req: IncomingMessage;
  /** Milliseconds of `performance.now()`. */
  readonly startedAt: number;
  /** Without the query, which may carry secrets. */
  readonly path: string;
  /** `_OTHER` for a method that is not in use here. */
  readonly method: string;
  /** The template of the matched route; empty when none matched. */
  readonly route: string;
  readonly remoteAddress: string;
  /** How many bytes the answer had; left out where nobody counted. */
  readonly bytesSent?: number | undefined;
  /** What was thrown, for an answer of 500 and above. */
  readonly error?: unknown;
}

const METHOD_CHARS = 64;

/**
 * Starts the span of a sampled request, by OpenTelemetry's conventions for HTTP servers. By hand, because
 * instrumentation-http costs half of the throughput.
 */
export function startServerSpan(request: TrackedRequest): Span {
  // Asked for each time, because telemetry may be started again.
  return startSpanAt(request, trace.getTracer("http-server"), nameOf(request), {
    kind: SpanKind.SERVER,
    startTime: request.startedAt,
    attributes: attributesOf(request),
  });
}

/** Ends the span of a request, if it has one. @param endedAt milliseconds of `performance.now()`. */
export function endServerSpan(request: TrackedRequest, status: number, endedAt: number): void {
  const { span, route, error } = request;
  if (span === undefined) return;
  if (route !== "") span.updateName(nameOf(request)).setAttribute("http.route", route);
  span.setAttribute("http.response.status_code", status);
  if (status >= 500) {
    span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute("error.type", String(status));
    if (error !== undefined) recordFailure(span, error);
  }
  span.end(endedAt);
}

function nameOf({ method, route }: TrackedRequest): string {
  const known = method === "_OTHER" ? "HTTP" : method;
  return route === "" ? known : `${known} ${route}`;
}

function attributesOf({ req, method, path, remoteAddress }: TrackedRequest): Attributes {
  const { host, "user-agent": userAgent, "x-forwarded-proto": forwarded } = req.headers;
  // A proxy in front ends TLS, and says so.
  const scheme = forwarded === "https" ? "https" : "http";
  // By hand, because parsing a URL costs more than all else here.
  const [, address, port] = /^(.*?)(?::(\d{1,5}))?$/.exec(host ?? "") ?? [];
  return {
    "http.request.method": method,
    ...(method === "_OTHER" && {
      "http.request.method_original": req.method?.slice(0, METHOD_CHARS),
    }),
    "url.path": path,
    "url.scheme": scheme,
    ...(address && {
      "server.address": address,
      "server.port": Number(port) || (scheme === "https" ? 443 : 80),
    }),
    "client.address": remoteAddress,
    "network.protocol.version": req.httpVersion,
    ...(userAgent !== undefined && { "user_agent.original": userAgent }),
  };
}
