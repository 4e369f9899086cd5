import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Span } from "@opentelemetry/api";
import type { AccessLog } from "../observability/access-log.ts";
import { type RequestContext, runInRequest } from "../context.ts";
import { isProbe } from "../health.ts";
import type { Metrics } from "../metrics.ts";
import { requestIds } from "./request-ids.ts";
import { originForm } from "./request-target.ts";
import { endServerSpan, startServerSpan } from "../observability/server-span.ts";
import { placeInTrace, type TracePosition } from "../observability/tracing.ts";

const LINGER_MS = 2_000;
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** A finished answer. */
export interface Outgoing {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer | undefined;
}

/** The requests of one worker. */
export interface Requests {
  /** Wraps `listener` with ids, log line, metrics and span. */
  track(listener: (exchange: Exchange) => void): RequestListener;
  /** Ids of the requests that are not answered yet, the oldest first. */
  inFlight(): string[];
  /** From now on every response ends its connection. */
  closeConnections(): void;
  /** Calls `listener` after each answered request. */
  onFinished(listener: () => void): void;
}

// A property and no WeakMap: the garbage collector would go through an entry for every request, again and again.
const EXCHANGE = Symbol("exchange");
type Tagged = IncomingMessage & { [EXCHANGE]?: Exchange };

const ADDRESS = Symbol("address");

/** The address of the other end, asked for once per connection. */
function addressOf(socket: Socket & { [ADDRESS]?: string }): string {
  return (socket[ADDRESS] ??= socket.remoteAddress ?? "");
}

/** The exchange that a request of Node's belongs to: a framework hands back no more than that. */
export function exchangeOf(req: IncomingMessage): Exchange {
  return (req as Tagged)[EXCHANGE]!;
}

/** What all requests of a worker have in common. */
interface Books {
  /** Share of the traces that start here and are sampled, 0 to 1. */
  readonly sampledRatio: number;
  /** Every response ends its connection. */
  closing: boolean;
  /** Logs and counts an exchange that was answered with `status`. */
  enter(exchange: Exchange, status: number): void;
}

/** The ids, names and values. */
const OWN_HEADERS = 4;

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
  readonly headers: string[];
  /** The template of the matched route, `/api/v1/receipts/{id}`; empty when none matched. */
  route = "";
  /** Its url is a path with its query or `*`; undefined when the client sent something else. */
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Where it stands among the open exchanges. */
  place = 0;
  readonly #books: Books;
  #isOver = false;
  #span: Span | undefined;

  constructor(req: IncomingMessage, res: ServerResponse, books: Books) {
    this.req = req;
    this.res = res;
    (req as Tagged)[EXCHANGE] = this;
    this.#books = books;
    const target = req.url ?? "/";
    req.url = originForm(target);
    this.path = pathOf(req.url ?? target);
    const { requestId, correlationId } = requestIds(req.headers);
    this.requestId = requestId;
    this.correlationId = correlationId;
    this.headers = ["X-Request-ID", this.requestId, "X-Correlation-ID", this.correlationId];
    const position = placeInTrace(req.headers, books.sampledRatio);
    this.traceId = position.traceId;
    this.spanId = position.spanId;
    this.parent = position.parent;
    this.isSampled = position.isSampled && !isProbe(this.path);
  }

  /**
   * There only when the request is sampled. It is made when somebody asks for it, or at the end: what one request in ten
   * does half-way makes the code of all of them slower.
   */
  get span(): Span | undefined {
    if (this.isSampled) this.#span ??= startServerSpan(this);
    return this.#span;
  }

  /** The caller's baggage, for OpenTelemetry's context. */
  get baggage(): string | undefined {
    return this.req.headers.baggage?.toString();
  }

  /** The method, or `_OTHER` for one that is not in use here, so that a stranger cannot make up label values. */
  get method(): string {
    const method = this.req.method ?? "";
    return METHODS.has(method) ? method : "_OTHER";
  }

  /** The caller. The load balancer appends it to the header, so only the last entry can be trusted. */
  get remoteAddress(): string {
    const forwarded = this.req.headers["x-forwarded-for"];
    const last = typeof forwarded === "string" ? forwarded.split(",").at(-1)?.trim() : undefined;
    return last || addressOf(this.req.socket);
  }

  /**
   * Answers the request, once; then it is over: logged, counted, and its span ended.
   * @throws {TypeError} when a header that a middleware has added cannot be sent. Those are dropped then, and the
   * request still waits for its answer.
   */
  send({ status, headers, body }: Outgoing): void {
    if (this.#isOver) return;
    const { req, res } = this;
    const bytes = body === undefined ? 0 : Buffer.byteLength(body);
    const all = this.headers;
    for (const name in headers) all.push(name, headers[name]!);
    if (status !== 204) all.push("Content-Length", String(bytes));
    if (this.#books.closing) res.shouldKeepAlive = false;
    try {
      res.writeHead(status, all);
    } catch (error) {
      // Somebody has answered past the platform.
      if (res.headersSent) this.#end(status);
      all.length = OWN_HEADERS;
      res.statusMessage = "";
      throw error;
    }
    this.#end(status);
    if (isStillSending(req)) return endAfterBody(req, res, body);
    if (body === undefined || req.method === "HEAD") res.end();
    // Text without a character above 127 is the same in latin1, which is written several times as fast.
    else if (typeof body === "string") res.end(body, bytes === body.length ? "latin1" : "utf8");
    else res.end(body);
  }

  #end(status: number): void {
    this.#isOver = true;
    // 499: the client went away before the answer (nginx's code; it never goes over the wire).
    this.#books.enter(this, this.res.destroyed ? 499 : status);
  }
}

/**
 * The exchanges that are not answered yet. Each knows its place in the list, and no Set holds them: one that objects pass
 * through makes a new table for every few dozen of them, in V8's old space, and so a full collection each second.
 */
class OpenExchanges {
  readonly #all: Exchange[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(exchange: Exchange): void {
    exchange.place = this.#all.push(exchange) - 1;
  }

  /** @param exchange one that was added, and not removed since. */
  remove(exchange: Exchange): void {
    const last = this.#all.pop()!;
    if (last === exchange) return;
    this.#all[exchange.place] = last;
    last.place = exchange.place;
  }

  oldestFirst(): Exchange[] {
    return this.#all.toSorted((a, b) => a.startedAt - b.startedAt);
  }
}

/**
 * Follows every request of a worker from arrival to the answer.
 * @param sampledRatio share of the traces that start here and are sampled, 0 to 1. Probes are never sampled.
 */
export function createRequests(
  accessLog: AccessLog,
  metrics: Metrics,
  sampledRatio: number,
): Requests {
  const open = new OpenExchanges();
  const listeners: (() => void)[] = [];
  metrics.countActiveRequests(() => open.size);
  const books: Books = {
    sampledRatio,
    closing: false,
    enter(exchange, status) {
      open.remove(exchange);
      const endedAt = performance.now();
      const seconds = (endedAt - exchange.startedAt) / 1_000;
      metrics.requestDurations.observe(exchange.method, exchange.route, status, seconds);
      const { span } = exchange;
      if (span !== undefined) endServerSpan(span, exchange, status, endedAt);
      accessLog.write(exchange, status, seconds);
      for (const listener of listeners) listener();
    },
  };

  return {
    track: (listener) => (req, res) => {
      const exchange = new Exchange(req, res, books);
      open.add(exchange);
      runInRequest(exchange, listener, exchange);
    },
    inFlight: () => open.oldestFirst().map(({ requestId }) => requestId),
    closeConnections: () => void (books.closing = true),
    onFinished: (listener) => void listeners.push(listener),
  };
}

function isStillSending(req: IncomingMessage): boolean {
  if (req.complete || req.readableEnded) return false;
  const { "content-length": length = "0", "transfer-encoding": encoding } = req.headers;
  return encoding !== undefined || length !== "0";
}

/**
 * Answers a request of which the body was refused half-way. The rest of it is read and dropped for a while first:
 * a connection that is closed with unread bytes in it is reset, and the client loses the answer.
 */
function endAfterBody(req: IncomingMessage, res: ServerResponse, body: Outgoing["body"]): void {
  if (body !== undefined && req.method !== "HEAD") res.write(body);
  else res.flushHeaders();
  const end = (): void => {
    clearTimeout(timer);
    res.end();
  };
  const timer = setTimeout(end, LINGER_MS);
  req.once("end", end).once("close", end).resume();
}

function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}
