import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { type Attributes, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { recordFailure, type RequestContext } from "../context.ts";
import { isProbe } from "../health.ts";
import { placeInTrace, startSpanAt, type TracePosition } from "../observability/tracing.ts";
import type { StandardSettings } from "../settings.ts";
import { bodyLength, originForm, pathOf, requestIds } from "./node-http.ts";

export const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
/** nginx's code for a client that left before the answer; it never goes over the wire. */
export const CLIENT_LEFT = 499;

// A property and no WeakMap: the garbage collector would go through an entry for every request, again and again.
const EXCHANGE = Symbol("exchange");
type Tagged = IncomingMessage & { [EXCHANGE]?: Exchange };

/** The exchange that a request belongs to; undefined for one that did not come through the server. */
export function exchangeOf(req: IncomingMessage): Exchange | undefined {
  return (req as Tagged)[EXCHANGE];
}

export interface Tracker {
  readonly settings: Pick<StandardSettings, "OTEL_TRACES_SAMPLER_ARG" | "TRUSTED_PROXIES">;
  /** Aborted when every response is to end its connection; answers without an end of their own end then. */
  readonly draining: AbortSignal;
  /** Logs and counts an exchange that was answered with `status`. */
  record(exchange: Exchange, status: number): void;
}

/** One request from its first byte to its answer: what the log line, the metrics and the span are made of. */
export class Exchange implements RequestContext, TracePosition {
  /** Milliseconds of `performance.now()`. */
  readonly startedAt = performance.now();
  /** The path up to the query, without it: queries may carry secrets. */
  readonly path: string;
  readonly requestId: string;
  readonly correlationId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: TracePosition["parent"];
  readonly isSampled: boolean;
  /** Names and values in turn, as Node writes them fastest: what every answer to this request has. */
  readonly headers: readonly string[];
  /** The template of the matched route, `/api/v1/receipts/{id}`; empty when none matched. */
  route = "";
  /** What was thrown, when the answer is a 5xx. */
  error: unknown = undefined;
  bytesSent = 0;
  /** Its url is a path with its query or `*`; undefined when the client sent something else. */
  readonly req: IncomingMessage;
  /** Where it is answered; undefined for an upgrade. */
  res: ServerResponse | undefined = undefined;
  /** Of an upgrade: the status that its socket was answered with so far. */
  upgradeStatus: number | undefined = undefined;
  /** Whether the client closed the connection before it had the answer. */
  hasLeft = false;
  index = 0;
  /** Read early: a closed socket has no remote address. */
  readonly #address: string;
  readonly #tracker: Tracker;
  #isOver = false;
  #span: Span | undefined;

  constructor(req: IncomingMessage, tracker: Tracker) {
    this.req = req;
    (req as Tagged)[EXCHANGE] = this;
    this.#tracker = tracker;
    this.#address = req.socket.remoteAddress ?? "";
    const target = req.url ?? "/";
    req.url = originForm(target);
    this.path = pathOf(req.url ?? target);
    const { requestId, correlationId } = requestIds(req.headers);
    this.requestId = requestId;
    this.correlationId = correlationId;
    this.headers = [
      "X-Request-ID",
      requestId,
      "X-Correlation-ID",
      correlationId,
      "X-Content-Type-Options",
      "nosniff",
    ];
    const position = placeInTrace(req.headers, tracker.settings.OTEL_TRACES_SAMPLER_ARG);
    this.traceId = position.traceId;
    this.spanId = position.spanId;
    this.parent = position.parent;
    this.isSampled = position.isSampled && !isProbe(this.path);
  }

  /** There only when the request is sampled. Made when somebody asks for it, or at the end. */
  get span(): Span | undefined {
    if (this.isSampled) this.#span ??= startServerSpan(this);
    return this.#span;
  }

  get baggage(): string | undefined {
    return this.req.headers.baggage?.toString();
  }

  /** The method, or `_OTHER` for one that is not in use here, so that a stranger cannot make up label values. */
  get method(): string {
    const method = this.req.method ?? "";
    return METHODS.has(method) ? method : "_OTHER";
  }

  /** The caller's address, as far as proxies that tell it are trusted. */
  get remoteAddress(): string {
    const { TRUSTED_PROXIES: proxies } = this.#tracker.settings;
    const forwarded = this.req.headers["x-forwarded-for"];
    if (proxies === 0 || forwarded === undefined) return this.#address;
    // Each proxy appends who called it: of as many entries from the end on nobody else can have written one.
    const told = forwarded.toString().split(",").slice(-proxies)[0]!.trim();
    return isIP(told) === 0 ? this.#address : told;
  }

  get isClosing(): boolean {
    return this.#tracker.draining.aborted;
  }

  get isStillSending(): boolean {
    // Undefined with Fastify's `inject`.
    return (this.req.complete as boolean | undefined) === false && bodyLength(this.req) > 0;
  }

  /** Counts a piece of the answer's body. @returns its bytes, 0 where none are sent. */
  countBytes(chunk: unknown, encoding?: unknown): number {
    if (this.req.method === "HEAD") return 0;
    const bytes =
      typeof chunk === "string"
        ? Buffer.byteLength(chunk, encoding as BufferEncoding)
        : ((chunk as Uint8Array | null | undefined)?.byteLength ?? 0);
    this.bytesSent += bytes;
    return bytes;
  }

  /** Notes what the answer fails with. A failure after the client has left is not the service's. */
  fail(thrown: unknown): void {
    // Node's own error, of a body that was not sent to its end; it comes before the response's "close".
    if (this.error === undefined && this.req.errored?.message === "aborted") {
      this.hasLeft = true;
      this.end(CLIENT_LEFT);
    }
    if (!this.hasLeft) this.error = thrown;
  }

  /** Ends an exchange whose answer was not finished: the client left, or the handler broke off. */
  abandon(res: ServerResponse): void {
    this.hasLeft = this.error === undefined && !res.writableFinished;
    this.end(this.error === undefined ? CLIENT_LEFT : 500);
  }

  /** The request is over: logged, counted, and its span ended. Only the first call counts. */
  end(status: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#tracker.record(this, status);
  }
}

/**
 * Starts the span of a sampled request, by OpenTelemetry's conventions for HTTP servers. By hand, because
 * instrumentation-http costs half of the throughput.
 */
export function startServerSpan(request: Exchange): Span {
  // Asked for each time, because telemetry may be started again.
  return startSpanAt(request, trace.getTracer("http-server"), nameOf(request), {
    kind: SpanKind.SERVER,
    startTime: request.startedAt,
    attributes: attributesOf(request),
  });
}

/** Ends the span of a request, if it has one. @param endedAt milliseconds of `performance.now()`. */
export function endServerSpan(request: Exchange, status: number, endedAt: number): void {
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

function nameOf({ method, route }: Exchange): string {
  const known = method === "_OTHER" ? "HTTP" : method;
  return route === "" ? known : `${known} ${route}`;
}

function attributesOf({ req, method, path, remoteAddress }: Exchange): Attributes {
  const { host, "user-agent": userAgent, "x-forwarded-proto": forwarded } = req.headers;
  // A proxy in front ends TLS, and says so.
  const scheme = forwarded === "https" ? "https" : "http";
  // By hand, because parsing a URL costs more than all else here.
  const [, address, port] = /^(.*?)(?::(\d{1,5}))?$/.exec(host ?? "") ?? [];
  return {
    "http.request.method": method,
    ...(method === "_OTHER" && { "http.request.method_original": req.method }),
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
