import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { type Attributes, SpanStatusCode } from "@opentelemetry/api";
import type { AccessLog } from "./access-log.ts";
import { type RequestContext, runInRequest } from "./context.ts";
import type { Metrics } from "./metrics.ts";
import type { TracePosition, Tracing } from "./tracing.ts";

const SANE_ID = /^[A-Za-z0-9._-]{1,128}$/;
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** A finished answer. */
export interface Outgoing {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer | undefined;
}

/** One request from its first byte to its answer: what the log line, the metrics and the span are made of. */
export interface Exchange extends RequestContext, TracePosition {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Milliseconds of `performance.now()`. */
  readonly startedAt: number;
  /** The path up to the query, without it: queries may carry secrets. */
  readonly path: string;
  /** Headers that the answer will have, whatever it is. */
  readonly headers: Record<string, string>;
  /** The template of the matched route, `/api/v1/receipts/{id}`; empty when none matched. */
  route: string;
  /** The caller as the load balancer saw it. */
  remoteAddress(): string;
  /** Answers the request, once; then the request is over: logged, counted, and its span ended. */
  send(outgoing: Outgoing): void;
}

/** The requests of one worker. */
export interface Requests {
  /** Wraps `listener` with ids, log line, metrics and span. */
  track(listener: (exchange: Exchange) => void): RequestListener;
  /** Ids of the requests that are not answered yet. */
  inFlight(): string[];
  /** From now on every response ends its connection. */
  closeConnections(): void;
  /** Calls `listener` after each answered request. */
  onFinished(listener: () => void): void;
}

/** Follows every request of a worker from arrival to the answer. */
export function createRequests(accessLog: AccessLog, metrics: Metrics, tracing: Tracing): Requests {
  const open = new Set<Exchange>();
  const listeners: (() => void)[] = [];
  let closing = false;

  function begin(req: IncomingMessage, res: ServerResponse): Exchange {
    const path = pathOf(req.url ?? "/");
    const position = tracing.begin(req.headers, methodOf(req), path, () => attributesOf(req, path));
    const requestId = saneId(req.headers["x-request-id"]) ?? randomUUID();
    const correlationId = saneId(req.headers["x-correlation-id"]) ?? requestId;
    const exchange: Exchange = {
      req,
      res,
      startedAt: performance.now(),
      path,
      headers: { "x-request-id": requestId, "x-correlation-id": correlationId },
      route: "",
      requestId,
      correlationId,
      traceId: position.traceId,
      spanId: position.spanId,
      traceState: position.traceState,
      span: position.span,
      remoteAddress: () => remoteAddress(req),
      send: (outgoing) => send(exchange, outgoing),
    };
    return exchange;
  }

  function send(exchange: Exchange, { status, headers, body }: Outgoing): void {
    if (!open.delete(exchange)) return;
    const { res } = exchange;
    if (closing) res.shouldKeepAlive = false;
    // 499: the client went away before the answer (nginx's code; it never goes over the wire).
    finish(exchange, res.destroyed ? 499 : status);
    const length = body === undefined ? 0 : Buffer.byteLength(body);
    const whole = { ...exchange.headers, ...headers, "content-length": String(length) };
    res.writeHead(status, whole).end(exchange.req.method === "HEAD" ? undefined : body);
  }

  function finish(exchange: Exchange, status: number): void {
    metrics.activeRequests.dec();
    const seconds = (performance.now() - exchange.startedAt) / 1_000;
    metrics.requestDuration.observe(
      {
        http_request_method: methodOf(exchange.req),
        http_route: exchange.route,
        http_response_status_code: String(status),
      },
      seconds,
    );
    endSpan(exchange, status);
    accessLog.write(exchange, status, seconds);
    for (const listener of listeners) listener();
  }

  return {
    track: (listener) => (req, res) => {
      const exchange = begin(req, res);
      open.add(exchange);
      metrics.activeRequests.inc();
      runInRequest(exchange, () => listener(exchange));
    },
    inFlight: () => Array.from(open, (exchange) => exchange.requestId),
    closeConnections: () => void (closing = true),
    onFinished: (listener) => void listeners.push(listener),
  };
}

function attributesOf(req: IncomingMessage, path: string): Attributes {
  return {
    "http.request.method": methodOf(req),
    "url.path": path,
    "url.scheme": "http",
    "client.address": remoteAddress(req),
  };
}

function endSpan({ span, req, route }: Exchange, status: number): void {
  if (span === undefined) return;
  if (route !== "") span.updateName(`${methodOf(req)} ${route}`).setAttribute("http.route", route);
  span.setAttribute("http.response.status_code", status);
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** The method, or `_OTHER` for one that is not in use here, so that a stranger cannot make up label values. */
function methodOf(req: IncomingMessage): string {
  const method = req.method ?? "";
  return METHODS.has(method) ? method : "_OTHER";
}

function saneId(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" && SANE_ID.test(header) ? header : undefined;
}

function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

/** The load balancer appends the caller to the header, so only the last entry can be trusted. */
function remoteAddress(req: IncomingMessage): string {
  const forwarded = req.headers["x-forwarded-for"];
  const last = typeof forwarded === "string" ? forwarded.split(",").at(-1)?.trim() : undefined;
  return last || (req.socket.remoteAddress ?? "");
}
