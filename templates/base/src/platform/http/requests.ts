import { AsyncResource } from "node:async_hooks";
import type {
  IncomingMessage,
  OutgoingHttpHeader,
  OutgoingHttpHeaders,
  RequestListener,
  Server,
  ServerOptions,
  ServerResponse,
} from "node:http";
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Span } from "@opentelemetry/api";
import { type RequestContext, runInRequest, scopes } from "../context.ts";
import { AppError, errorBody, logFailure } from "../errors.ts";
import { isProbe } from "../health.ts";
import type { Logger } from "../logging.ts";
import type { Metrics } from "../metrics.ts";
import type { AccessLog } from "../observability/access-log.ts";
import type { StandardSettings } from "../settings.ts";
import {
  endServerSpan,
  placeInTrace,
  startServerSpan,
  type TracePosition,
} from "../observability/tracing.ts";
import { hasOneHost, ONE_HOST } from "./headers.ts";
import * as nodeHttp from "./node-http.ts";
import { originForm } from "./path.ts";
import { notFoundOr405, pathMalformed } from "./refusals.ts";
import { requestIds } from "./request-ids.ts";

/** How long the rest of a refused body is read and dropped before its connection is closed. */
const LINGER_MS = 2_000;
/** A refused body that is longer than this ends its connection. */
const LINGER_BYTES = 1_048_576;
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
/** nginx's code for a client that left before the answer; it never goes over the wire. */
const CLIENT_LEFT = 499;
/** For a request that is still open when its worker exits. */
const CUT_OFF = 503;
/** A WebSocket close frame, 1001 "going away"; RFC 6455, 5.5.1. */
const GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9]);

/** The requests of one worker, whoever answers them: a route, a plugin, a middleware, a hook. */
export interface RequestTracker {
  /**
   * A server whose requests are followed from arrival to answer.
   * @param listener the framework.
   * @param prototypes the framework's own request and response, where it wants to find its methods on them.
   * @param mountOf names what answered a request that no route took; empty when there is no name.
   */
  createServer(listener: RequestListener, prototypes?: Prototypes, mountOf?: MountOf): Server;
  /** Follows a request that came another way, such as a test's `inject`; does nothing for one that is followed. */
  adopt(req: IncomingMessage, res: ServerResponse): void;
  /**
   * Answers at the level of node:http with the standard's error body, and logs it: before a framework has the request, or
   * after it has given up.
   * @param thrown what the error was made of.
   */
  refuse(req: IncomingMessage, res: ServerResponse, error: AppError, thrown?: unknown): void;
  /** Ids of the requests that are not answered yet, the oldest first. */
  inFlight(): string[];
  /** From now on every response ends its connection; event streams end and WebSockets are closed. */
  closeConnections(): void;
  /** Aborted by `closeConnections`: answers without an end of their own end then. */
  readonly draining: AbortSignal;
  /**
   * Ends what is still open, as 503: the service broke it off, and not the client.
   * @returns what these requests, and their dependencies, hear of it.
   */
  abandon(): Error;
  /** Calls `listener` after each answered request. */
  onFinished(listener: () => void): void;
}

/** What a framework adds to Node's requests and responses: Express's `app.request` and `app.response`. */
export interface Prototypes {
  request: object;
  response: object;
}

type MountOf = (req: IncomingMessage) => string;
type HeaderList = readonly OutgoingHttpHeader[];

// A property and no WeakMap: the garbage collector would go through an entry for every request, again and again.
const EXCHANGE = Symbol("exchange");
const ADDRESS = Symbol("address");
type Tagged = IncomingMessage & { [EXCHANGE]?: Exchange };

/** The exchange that a request belongs to; undefined for one that did not come through the server. */
export function exchangeOf(req: IncomingMessage): Exchange | undefined {
  return (req as Tagged)[EXCHANGE];
}

/** What all exchanges of a worker have in common. */
interface Shared {
  readonly settings: TrackerSettings;
  /** Every response ends its connection. */
  closing: boolean;
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
  /** Bytes of the request's body as announced, Infinity in chunks; asked early, as Fastify may be told of none. */
  readonly bodyLength: number;
  /** Bytes of the answer's body so far. */
  bytesSent = 0;
  /** Its url is a path with its query or `*`; undefined when the client sent something else. */
  readonly req: IncomingMessage;
  /** Asked for early: a socket that is closed does not know it any longer. */
  readonly #address: string;
  readonly #shared: Shared;
  /** Whether a Connection header of the framework is left out: Fastify closes after each body that it refuses. */
  ownsConnection = false;
  /** Whether the client closed the connection before it had the answer. */
  hasLeft = false;
  /** Where it is answered; undefined for an upgrade. */
  res: ServerResponse | undefined = undefined;
  /** Of an upgrade: the status that its socket was answered with so far. */
  upgradeStatus: number | undefined = undefined;
  /** Its index among the open exchanges. */
  index = 0;
  #isOver = false;
  #span: Span | undefined;

  constructor(req: IncomingMessage, shared: Shared) {
    this.req = req;
    (req as Tagged)[EXCHANGE] = this;
    this.#shared = shared;
    this.#address = addressOf(req.socket);
    this.bodyLength = bodyLength(req);
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
    const position = placeInTrace(req.headers, shared.settings.OTEL_TRACES_SAMPLER_ARG);
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

  /** The caller's baggage, for OpenTelemetry's context. */
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
    const forwarded = this.req.headers["x-forwarded-for"];
    const { TRUSTED_PROXIES: proxies } = this.#shared.settings;
    const told = typeof forwarded === "string" ? forwardedAddress(forwarded, proxies) : "";
    return isIP(told) === 0 ? this.#address : told;
  }

  get isClosing(): boolean {
    return this.#shared.closing;
  }

  /** Counts a piece of the answer's body. @returns its bytes, 0 where none are sent. */
  countBytes(chunk: unknown): number {
    if (this.req.method === "HEAD") return 0;
    const bytes =
      typeof chunk === "string"
        ? Buffer.byteLength(chunk)
        : ((chunk as Uint8Array | null | undefined)?.byteLength ?? 0);
    this.bytesSent += bytes;
    return bytes;
  }

  /** What is thrown now ends the answer. What breaks because the client has left is no fault of the service. */
  fail(thrown: unknown): void {
    // Node's own error, of a body that was not sent to its end; it comes before the response's "close".
    if (this.error === undefined && this.req.errored?.message === "aborted") {
      this.hasLeft = true;
      this.end(CLIENT_LEFT);
    }
    if (!this.hasLeft) this.error = thrown;
  }

  /** The request is over: logged, counted, and its span ended. Only the first call counts. */
  end(status: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#shared.record(this, status);
  }
}

/** A response that adds the exchange's headers to whatever is sent, and ends the exchange. */
interface Tracked extends ServerResponse {
  exchange: Exchange | undefined;
}

type TrackedClasses = Pick<ServerOptions, "IncomingMessage" | "ServerResponse">;

/** The classes of a server's requests and responses: new ones for each server, as a framework adds its methods to them. */
function trackedClasses(): TrackedClasses {
  class TrackedRequest extends nodeHttp.IncomingMessage {
    /** The response, until it was told to send "100 Continue". */
    expecting: ServerResponse | undefined = undefined;

    /** A client that waits is told to go on when somebody reads the body, and never after a refusal. */
    override _read(size: number): void {
      const res = this.expecting;
      this.expecting = undefined;
      if (res !== undefined && !res.headersSent) res.writeContinue();
      super._read(size);
    }
  }

  class TrackedResponse<Of extends IncomingMessage> extends nodeHttp.ServerResponse<Of> {
    exchange: Exchange | undefined = undefined;

    override writeHead(status: number, reason?: unknown, given?: unknown): this {
      const { exchange } = this;
      if (exchange === undefined) return super.writeHead(status, reason as never, given as never);
      if (exchange.isClosing || endsConnection(this.req)) this.shouldKeepAlive = false;
      // Node says it by itself, but not after a removeHeader("connection"), as Fastify's errors need one.
      if (!this.shouldKeepAlive) this.setHeader("Connection", "close");
      const own = exchange.headers;
      if (typeof reason === "string") {
        return super.writeHead(
          status,
          reason,
          withOwn(exchange, status, given as OutgoingHttpHeaders),
        );
      }
      const headers = (reason ?? given) as OutgoingHttpHeaders | undefined;
      if (headers !== undefined) return super.writeHead(status, withOwn(exchange, status, headers));
      for (let at = 0; at < own.length; at += 2) this.setHeader(own[at]!, own[at + 1]!);
      if (isBodiless(status)) this.removeHeader("Content-Length");
      return super.writeHead(status);
    }

    override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
      this.exchange?.countBytes(chunk);
      return super.write(chunk, encoding as BufferEncoding, callback as () => void);
    }

    override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
      const { exchange } = this;
      if (exchange === undefined) return super.end(chunk, encoding as never, callback as never);
      if (isStillSending(this.req)) {
        endAfterBody(this, chunk, encoding, callback, (done) => super.end(done));
      } else {
        const bytes = exchange.countBytes(chunk);
        // Text without a character above 127 is the same in latin1, which Node writes several times as fast.
        const isAscii = typeof chunk === "string" && bytes === chunk.length;
        const isPlain = isAscii && (encoding ?? "utf8") === "utf8";
        super.end(chunk, (isPlain ? "latin1" : encoding) as never, callback as never);
      }
      exchange.end(this.destroyed ? CLIENT_LEFT : this.statusCode);
      return this;
    }

    /** The service breaks the answer off; a client that leaves closes the socket instead. */
    override destroy(error?: Error): this {
      if (!this.destroyed && this.exchange !== undefined) {
        this.exchange.error ??= error ?? new Error("the answer broke off");
      }
      return super.destroy(error);
    }
  }
  // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- it is not, to TypeScript
  return {
    IncomingMessage: TrackedRequest,
    ServerResponse: TrackedResponse,
  } as unknown as TrackedClasses;
}

/** The headers of an answer after those that all answers have, which win. */
function withOwn(
  { headers: own, ownsConnection }: Exchange,
  status: number,
  given: OutgoingHttpHeaders | HeaderList | undefined,
): OutgoingHttpHeader[] {
  const all: OutgoingHttpHeader[] = own.slice();
  if (Array.isArray(given)) {
    const pairs = Array.isArray(given[0]) ? given.flat() : given;
    for (let at = 0; at < pairs.length; at += 2)
      add(all, String(pairs[at]), pairs[at + 1], ownsConnection);
  } else {
    const headers = given as OutgoingHttpHeaders;
    for (const name in headers) add(all, name, headers[name], ownsConnection);
  }
  if (!isBodiless(status)) return all;
  const at = all.findIndex(
    (name, index) => index % 2 === 0 && /^content-length$/i.test(String(name)),
  );
  return at === -1 ? all : all.toSpliced(at, 2);
}

/** Such an answer has no body, and so no length; RFC 9110, 8.6. */
function isBodiless(status: number): boolean {
  return status === 204 || status === 304;
}

const OWN_NAMES = new Set(["x-request-id", "x-correlation-id", "x-content-type-options"]);

function add(
  all: OutgoingHttpHeader[],
  name: string,
  value: OutgoingHttpHeader | undefined,
  ownsConnection: boolean,
): void {
  // All of them begin with an x, and few others do.
  if ((name[0] === "x" || name[0] === "X") && OWN_NAMES.has(name.toLowerCase())) return;
  if (ownsConnection && name === "connection") return;
  all.push(name, value!);
}

function sendError(res: ServerResponse, error: AppError): void {
  const body = JSON.stringify(errorBody(error));
  res.writeHead(error.status, {
    ...error.headers,
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
  });
  res.end(body);
}

/**
 * The exchanges that are not answered yet. Each knows its index in the list, and no Set holds them: one that objects pass
 * through makes a new table for every few dozen of them, in V8's old space, and so a full collection each second.
 */
class OpenExchanges {
  readonly #all: Exchange[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(exchange: Exchange): void {
    exchange.index = this.#all.push(exchange) - 1;
  }

  /** @param exchange one that was added, and not removed since. */
  remove(exchange: Exchange): void {
    const last = this.#all.pop()!;
    if (last === exchange) return;
    this.#all[exchange.index] = last;
    last.index = exchange.index;
  }

  oldestFirst(): Exchange[] {
    return this.#all.toSorted((a, b) => a.startedAt - b.startedAt);
  }
}

type TrackerSettings = Pick<StandardSettings, "OTEL_TRACES_SAMPLER_ARG" | "TRUSTED_PROXIES">;

/** Follows every request of a worker from arrival to the answer. Probes are never sampled. */
export function createRequestTracker(
  log: Logger,
  accessLog: AccessLog,
  metrics: Metrics,
  settings: TrackerSettings,
): RequestTracker {
  const open = new OpenExchanges();
  const upgraded = new Set<Duplex>();
  const draining = new AbortController();
  const listeners: (() => void)[] = [];
  let nameMount: MountOf | undefined;
  metrics.countActiveRequests(() => open.size);
  const shared: Shared = {
    settings,
    closing: false,
    record(exchange, status) {
      open.remove(exchange);
      if (exchange.route === "") exchange.route = nameMount?.(exchange.req) ?? "";
      const endedAt = performance.now();
      const seconds = (endedAt - exchange.startedAt) / 1_000;
      const labels = {
        http_request_method: exchange.method,
        http_route: exchange.route,
        http_response_status_code: status,
      };
      metrics.requestDurations.observe(labels, seconds);
      endServerSpan(exchange, status, endedAt);
      accessLog.write(exchange, status, seconds);
      for (const listener of listeners) listener();
    },
  };

  function begin(req: IncomingMessage): Exchange {
    const exchange = new Exchange(req, shared);
    open.add(exchange);
    return exchange;
  }

  function beginUpgrade(req: IncomingMessage, socket: Duplex): void {
    const exchange = begin(req);
    const scope = { request: exchange, telemetry: undefined };
    // The listeners after this one, and all that comes over the socket later, belong to the request too.
    scopes.enterWith(scope);
    socket.emit = AsyncResource.bind<typeof socket.emit, unknown>(socket.emit.bind(socket));
    watchHandshake(socket, exchange, (status) => (exchange.upgradeStatus = status));
    upgraded.add(socket);
    socket.once("close", () => {
      upgraded.delete(socket);
      exchange.end(exchange.upgradeStatus ?? CLIENT_LEFT);
    });
  }

  const tracker: RequestTracker = {
    createServer(listener, prototypes, mountOf) {
      nameMount = mountOf;
      const classes = trackedClasses();
      if (prototypes !== undefined) {
        // Express would change the prototype of each request and response, which makes all code after that slower.
        const { IncomingMessage: Request, ServerResponse: Response } = classes;
        prototypes.request = Object.setPrototypeOf(Request!.prototype, prototypes.request);
        prototypes.response = Object.setPrototypeOf(Response!.prototype, prototypes.response);
      }
      const track: RequestListener = (req, res) => {
        const exchange = begin(req);
        (res as Tracked).exchange = exchange;
        exchange.res = res;
        res.on("close", onClose);
        runInRequest(exchange, serve, req, res);
      };
      const serve: RequestListener = (req, res) => {
        const refusal = refusalOf(req);
        if (refusal === undefined) listener(req, res);
        else tracker.refuse(req, res, refusal);
      };
      // Node would refuse a request without a host, and without a body: refusalOf looks at it.
      const server = nodeHttp.createServer(
        { ...classes, requireHostHeader: false, shouldUpgradeCallback: isWebSocket },
        track,
      );
      server.on("checkContinue", (req, res) => {
        (req as { expecting?: ServerResponse }).expecting = res;
        track(req, res);
      });
      server.on("checkExpectation", track);
      // Node would hang up without a word.
      server.on("connect", (req, socket: Socket) => {
        if (server.listenerCount("connect") > 1) return;
        const res = new classes.ServerResponse!(req);
        res.shouldKeepAlive = false;
        res.assignSocket(socket.on("error", () => {}));
        track(
          req,
          res.once("finish", () => socket.destroySoon()),
        );
      });
      trackUpgrades(server, beginUpgrade);
      return server;
    },
    adopt(req, res) {
      if ((res as Tracked).exchange !== undefined) return;
      const known = exchangeOf(req);
      const exchange = known ?? begin(req);
      const { headers } = exchange;
      for (let at = 0; at < headers.length; at += 2) res.setHeader(headers[at]!, headers[at + 1]!);
      res.once("finish", () => exchange.end(res.statusCode));
      if (known !== undefined) return;
      exchange.res = res;
      res.once("close", () => leave(exchange, res));
      scopes.enterWith({ request: exchange, telemetry: undefined });
    },
    refuse(req, res, error, thrown = error) {
      const exchange = exchangeOf(req);
      exchange?.fail(thrown);
      logFailure(log, thrown, error, exchange?.hasLeft ?? false);
      // What has begun cannot become an error: the client has to see that it broke off.
      if (res.headersSent) res.destroy();
      else sendError(res, error);
    },
    inFlight: () => open.oldestFirst().map(({ requestId }) => requestId),
    draining: draining.signal,
    closeConnections() {
      shared.closing = true;
      draining.abort();
      for (const socket of upgraded) closeUpgraded(socket);
    },
    abandon() {
      const reason = new Error("the service stopped before the answer was sent");
      const cutOff: string[] = [];
      for (const exchange of open.oldestFirst()) {
        const { requestId, upgradeStatus, res } = exchange;
        if (upgradeStatus === undefined) {
          cutOff.push(requestId);
          exchange.error ??= reason;
        }
        exchange.end(upgradeStatus ?? CUT_OFF);
        res?.destroy(reason);
      }
      if (cutOff.length > 0) log.warn({ requests: cutOff }, "the worker breaks open requests off");
      return reason;
    },
    onFinished: (listener) => void listeners.push(listener),
  };
  return tracker;
}

/** Only WebSockets are upgraded, where somebody listens; RFC 9110, 7.8 lets a server ignore all else. */
function isWebSocket(this: Server, { headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket" && this.listenerCount("upgrade") > 0;
}

/** Calls `begin` before all other listeners of "upgrade". Without any, Node takes such a request for an ordinary one. */
function trackUpgrades(
  server: Server,
  begin: (req: IncomingMessage, socket: Duplex) => void,
): void {
  const onNewListener = (event: string): void => {
    if (event !== "upgrade") return;
    server.off("newListener", onNewListener);
    server.on("upgrade", begin);
  };
  server.on("newListener", onNewListener);
}

/** Adds the ids to the first answer over an upgraded socket, which no ServerResponse writes, and tells its status. */
function watchHandshake(
  socket: Duplex,
  { headers }: Exchange,
  onStatus: (status: number) => void,
): void {
  for (const method of ["write", "end"] as const) {
    const original = socket[method] as (...args: unknown[]) => never;
    socket[method] = (chunk?: unknown, ...rest: unknown[]): never => {
      socket[method] = original;
      const [, version, status] = /^(HTTP\/1\.1) (\d{3}) /.exec(String(chunk).slice(0, 13)) ?? [];
      if (version === undefined) return original.call(socket, chunk, ...rest);
      onStatus(Number(status));
      const ids = `X-Request-ID: ${headers[1]}\r\nX-Correlation-ID: ${headers[3]}\r\n`;
      const text = String(chunk);
      return original.call(
        socket,
        text.replace("\r\n", `\r\n${/^x-request-id:/im.test(text) ? "" : ids}`),
        ...rest,
      );
    };
  }
}

/** Tells a WebSocket's client that the server goes away, and hangs up when it does not answer. */
function closeUpgraded(socket: Duplex): void {
  socket.write(GOING_AWAY);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** An answer that nobody ended: the client left, or the code that was to answer broke off. */
function onClose(this: ServerResponse): void {
  const { exchange } = this as Tracked;
  if (exchange !== undefined) leave(exchange, this);
}

function leave(exchange: Exchange, res: ServerResponse): void {
  exchange.hasLeft = exchange.error === undefined && !res.writableFinished;
  exchange.end(exchange.error === undefined ? CLIENT_LEFT : 500);
}

/** What is refused before any framework sees it: a request has a target and one host; RFC 9112, 3.2. */
function refusalOf(req: IncomingMessage): AppError | undefined {
  if (req.url === undefined) {
    return req.method === "CONNECT" ? notFoundOr405("CONNECT", METHODS) : pathMalformed();
  }
  if (!hasOneHost(req)) return new AppError("VALIDATION_ERROR", ONE_HOST);
  const { expect } = req.headers;
  if (expect === undefined || expect.toLowerCase() === "100-continue") return undefined;
  return new AppError("EXPECTATION_FAILED", "This expectation cannot be met", {
    headers: { Connection: "close" },
  });
}

/** Whether the client has not sent all of its body yet. */
function isStillSending(req: IncomingMessage): boolean {
  return !req.complete && !req.readableEnded && announcedLength(req) > 0;
}

function announcedLength(req: IncomingMessage): number {
  return exchangeOf(req)?.bodyLength ?? bodyLength(req);
}

function bodyLength({ headers }: IncomingMessage): number {
  return headers["transfer-encoding"] === undefined
    ? Number(headers["content-length"] ?? 0)
    : Infinity;
}

/** Whether so much of the body may be on its way that its connection is not worth keeping. */
function endsConnection(req: IncomingMessage): boolean {
  if (!isStillSending(req)) return false;
  if ((req as { expecting?: unknown }).expecting !== undefined) return true;
  const length = announcedLength(req);
  return length > LINGER_BYTES && length !== Infinity;
}

/**
 * Answers a request whose body was refused half-way. The rest of it is read and dropped for a while first:
 * a connection that is closed with unread bytes in it is reset, and the client loses the answer.
 */
function endAfterBody(
  res: ServerResponse,
  chunk: unknown,
  encoding: unknown,
  callback: unknown,
  end: (done: () => void) => void,
): void {
  const { req } = res;
  const isBody = chunk !== undefined && chunk !== null && typeof chunk !== "function";
  if (isBody && req.method !== "HEAD") res.write(chunk, encoding as BufferEncoding);
  else res.flushHeaders();
  const done = [chunk, encoding, callback].find((given) => typeof given === "function");
  let isEnded = false;
  const finish = (): void => {
    if (isEnded) return;
    isEnded = true;
    clearTimeout(timer);
    end(() => {
      (done as (() => void) | undefined)?.();
      // What is still on its way is not read to its end.
      if (!req.complete) req.socket.destroySoon();
    });
  };
  const timer = setTimeout(finish, LINGER_MS);
  // A client that waits for "100 Continue" sends nothing after a refusal.
  if ((req as { expecting?: unknown }).expecting !== undefined) return finish();
  req.once("end", finish).once("close", finish).resume();
}

/** The address of the other end, asked for once per connection. */
function addressOf(socket: Socket & { [ADDRESS]?: string }): string {
  return (socket[ADDRESS] ??= socket.remoteAddress ?? "");
}

/** Each proxy appends who called it, so that of `proxies` entries from the end on nobody else can have written one. */
function forwardedAddress(header: string, proxies: number): string {
  let start = header.length;
  let end = start;
  for (let left = proxies; left > 0 && start > 0; left -= 1) {
    end = start;
    start = header.lastIndexOf(",", end - 1);
  }
  return proxies === 0 ? "" : header.slice(start + 1, end).trim();
}

function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}
