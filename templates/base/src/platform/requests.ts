import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import {
  context,
  defaultTextMapGetter,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { type RequestContext, runInRequest } from "./context.ts";
import type { Logger } from "./logging.ts";
import type { Metrics } from "./metrics.ts";

const SANE_ID = /^[A-Za-z0-9._-]{1,128}$/;
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** One request from its first byte to its last: what the log line, the metrics and the span are made of. */
export interface Exchange extends RequestContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly startedAt: number;
  readonly span: Span;
  /** The path up to the query, without it: queries may carry secrets. */
  readonly path: string;
  /** The template of the matched route, `/api/v1/receipts/{id}`; empty when none matched. */
  route: string;
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

/** Follows every request of a worker from arrival to the last byte. */
export function createRequests(log: Logger, metrics: Metrics): Requests {
  const tracer = trace.getTracer("http-server");
  const open = new Set<Exchange>();
  const listeners: (() => void)[] = [];
  let closing = false;

  function begin(req: IncomingMessage, res: ServerResponse): Exchange {
    const path = pathOf(req.url ?? "/");
    const parent = propagation.extract(ROOT_CONTEXT, req.headers, defaultTextMapGetter);
    const span = tracer.startSpan(
      methodOf(req),
      {
        kind: SpanKind.SERVER,
        attributes: {
          "http.request.method": methodOf(req),
          "url.path": path,
          "url.scheme": "http",
          "client.address": remoteAddress(req),
        },
      },
      parent,
    );
    const { traceId, spanId } = span.spanContext();
    const requestId = saneId(req.headers["x-request-id"]) ?? randomUUID();
    const correlationId = saneId(req.headers["x-correlation-id"]) ?? requestId;
    const startedAt = performance.now();
    return {
      req,
      res,
      startedAt,
      span,
      path,
      route: "",
      requestId,
      correlationId,
      traceId,
      spanId,
    };
  }

  function finish(exchange: Exchange): void {
    open.delete(exchange);
    metrics.activeRequests.dec();
    const seconds = (performance.now() - exchange.startedAt) / 1_000;
    // 499: the client went away before the answer (nginx's code; it never goes over the wire).
    const status = exchange.res.writableEnded ? exchange.res.statusCode : 499;
    metrics.requestDuration.observe(
      {
        http_request_method: methodOf(exchange.req),
        http_route: exchange.route,
        http_response_status_code: String(status),
      },
      seconds,
    );
    endSpan(exchange, status);
    runInRequest(exchange, () => writeAccessLine(log, exchange, status, seconds));
    for (const listener of listeners) listener();
  }

  return {
    track: (listener) => (req, res) => {
      const exchange = begin(req, res);
      open.add(exchange);
      metrics.activeRequests.inc();
      res.setHeader("X-Request-ID", exchange.requestId);
      res.setHeader("X-Correlation-ID", exchange.correlationId);
      if (closing) res.shouldKeepAlive = false;
      res.once("close", () => finish(exchange));
      const active = trace.setSpan(ROOT_CONTEXT, exchange.span);
      context.with(active, runInRequest, undefined, exchange, () => listener(exchange));
    },
    inFlight: () => Array.from(open, (exchange) => exchange.requestId),
    closeConnections() {
      closing = true;
      for (const { res } of open) if (!res.headersSent) res.shouldKeepAlive = false;
    },
    onFinished: (listener) => void listeners.push(listener),
  };
}

function writeAccessLine(log: Logger, exchange: Exchange, status: number, seconds: number): void {
  const probe = exchange.route.startsWith("/health") && status < 400;
  log[probe ? "debug" : "info"](
    {
      method: exchange.req.method,
      path: exchange.path,
      route: exchange.route,
      status,
      duration_ms: Math.round(seconds * 1e6) / 1e3,
      remote_ip: remoteAddress(exchange.req),
      user_agent: exchange.req.headers["user-agent"],
      worker_pid: process.pid,
    },
    "request completed",
  );
}

function endSpan({ span, req, route }: Exchange, status: number): void {
  if (span.isRecording()) {
    if (route !== "")
      span.updateName(`${methodOf(req)} ${route}`).setAttribute("http.route", route);
    span.setAttribute("http.response.status_code", status);
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  }
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

/** The caller as the load balancer saw it: it appends to the header, so only the last entry can be trusted. */
function remoteAddress(req: IncomingMessage): string {
  const forwarded = req.headers["x-forwarded-for"];
  const last = typeof forwarded === "string" ? forwarded.split(",").at(-1)?.trim() : undefined;
  return last || (req.socket.remoteAddress ?? "");
}
