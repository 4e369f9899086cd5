import { AsyncResource } from "node:async_hooks";
import type {
  IncomingMessage,
  RequestListener,
  Server,
  ServerOptions,
  ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { scopes } from "../context.ts";
import { AppError, errorBody, logFailure } from "../errors.ts";
import type { Logger } from "../logging.ts";
import type { Metrics } from "../metrics.ts";
import type { AccessLog } from "../observability/access-log.ts";
import type { DependencyScopes } from "../depends.ts";
import type { Readiness } from "../health.ts";
import type { ServiceDeps } from "../lifespan.ts";
import {
  CLIENT_LEFT,
  endServerSpan,
  Exchange,
  exchangeOf,
  METHODS,
  type Tracker,
} from "./exchange.ts";
import { createServer, hasOneHost, ONE_HOST } from "./node-http.ts";
import { notFoundOr405, pathMalformed } from "./refusals.ts";
import { trackedClasses, type TrackedRequest } from "./tracked-response.ts";
import type { Operation } from "./openapi.ts";

/** For a request that is still open when its worker exits. */
const CUT_OFF = 503;
/** A WebSocket close frame, 1001 "going away"; RFC 6455, 5.5.1. */
const GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9]);
/** How long a WebSocket's client may take to answer it. */
const CLOSE_MS = 2_000;

type MountOf = (req: IncomingMessage) => string;

/** What the platform hands to `createApp`, for the functions of app.ts. */
export interface Platform extends DependencyScopes {
  readonly deps: ServiceDeps;
  readonly requests: RequestTracker;
  readonly readiness: Readiness;
  /** What openapi.json describes, in the order of registration. */
  readonly documented: Operation[];
}

/** Follows every request of a worker from arrival to answer, whoever answers: a route, a plugin, a middleware, a hook. */
export class RequestTracker implements Tracker {
  readonly settings: Tracker["settings"];
  readonly #log: Logger;
  readonly #accessLog: AccessLog;
  readonly #metrics: Metrics;
  /**
   * The exchanges that are not answered yet. Each knows its index in the list, and no Set holds them: one that objects
   * pass through makes a new table for every few dozen of them, in V8's old space, and so a full collection each second.
   */
  readonly #open: Exchange[] = [];
  readonly #upgraded = new Set<Duplex>();
  readonly #draining = new AbortController();
  readonly #listeners: (() => void)[] = [];
  #nameMount: MountOf | undefined;

  constructor(log: Logger, accessLog: AccessLog, metrics: Metrics, settings: Tracker["settings"]) {
    this.settings = settings;
    this.#log = log;
    this.#accessLog = accessLog;
    this.#metrics = metrics;
    metrics.countActiveRequests(() => this.#open.length);
  }

  readonly draining: AbortSignal = this.#draining.signal;

  /**
   * A server whose requests are followed from arrival to answer.
   * @param listener the framework.
   * @param prototypes what the framework adds its methods to: Express's `app.request` and `app.response`.
   * @param mountOf names what answered a request that no route took; empty when there is no name.
   */
  createServer(
    listener: RequestListener,
    prototypes?: { request: object; response: object },
    mountOf?: MountOf,
  ): Server {
    this.#nameMount = mountOf;
    const classes = trackedClasses();
    if (prototypes !== undefined) {
      // Express would change the prototype of each request and response, which makes all code after that slower.
      const { IncomingMessage: Request, ServerResponse: Response } = classes;
      prototypes.request = Object.setPrototypeOf(Request.prototype, prototypes.request);
      prototypes.response = Object.setPrototypeOf(Response.prototype, prototypes.response);
    }
    const track: RequestListener = (req, res) => {
      this.#begin(req, res);
      const refusal = refusalOf(req);
      if (refusal === undefined) listener(req, res);
      else this.refuse(req, res, refusal);
    };
    // Node would refuse a request without a host, and without a body: refusalOf looks at it.
    const server = createServer(
      { ...classes, requireHostHeader: false, shouldUpgradeCallback: isWebSocket } as ServerOptions,
      track,
    );
    server.on("checkContinue", (req, res) => {
      (req as TrackedRequest).expecting = res;
      track(req, res);
    });
    server.on("checkExpectation", track);
    // Node would close the connection without an answer.
    server.on("connect", (req, socket: Socket) => {
      if (server.listenerCount("connect") > 1) return;
      const res = new classes.ServerResponse(req);
      res.shouldKeepAlive = false;
      res.assignSocket(socket.on("error", () => {}));
      res.once("finish", () => socket.destroySoon());
      track(req, res);
    });
    server.on("upgrade", (req, socket) => this.#beginUpgrade(req, socket));
    return server;
  }

  /** Follows a request that came another way, such as a test's `inject`; does nothing for one that is followed. */
  adopt(req: IncomingMessage, res: ServerResponse): void {
    if (exchangeOf(req) === undefined) this.#begin(req, res);
  }

  /** Notes what a request failed with, and logs it. @param error what its caller is told. */
  fail(req: IncomingMessage, error: AppError, thrown: unknown): void {
    const exchange = exchangeOf(req);
    exchange?.fail(thrown);
    logFailure(this.#log, thrown, error, exchange?.hasLeft ?? false);
  }

  /**
   * Answers at the level of node:http with the standard's error body, and logs it: before a framework has the request, or
   * after it has given up.
   * @param thrown what the error was made of.
   */
  refuse(
    req: IncomingMessage,
    res: ServerResponse,
    error: AppError,
    thrown: unknown = error,
  ): void {
    this.fail(req, error, thrown);
    // What has begun cannot become an error: the client has to see that it broke off.
    if (res.headersSent) return void res.destroy();
    const body = JSON.stringify(errorBody(error));
    res.writeHead(error.status, {
      ...error.headers,
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
    });
    res.end(body);
  }

  /** Ids of the requests that are not answered yet, the oldest first. */
  inFlight(): string[] {
    return this.#oldestFirst().map(({ requestId }) => requestId);
  }

  /** From now on every response ends its connection; event streams end and WebSockets are closed. */
  closeConnections(): void {
    this.#draining.abort();
    for (const socket of this.#upgraded) {
      socket.write(GOING_AWAY);
      setTimeout(() => socket.destroy(), CLOSE_MS).unref();
    }
  }

  /**
   * Ends what is still open, as 503: the service broke it off, and not the client.
   * @returns what these requests, and their dependencies, hear of it.
   */
  abandon(): Error {
    const reason = new Error("the service stopped before the answer was sent");
    const cutOff: string[] = [];
    for (const exchange of this.#oldestFirst()) {
      const { requestId, upgradeStatus, res } = exchange;
      if (upgradeStatus === undefined) {
        cutOff.push(requestId);
        exchange.error ??= reason;
      }
      exchange.end(upgradeStatus ?? CUT_OFF);
      res?.destroy(reason);
    }
    if (cutOff.length > 0) {
      this.#log.warn({ requests: cutOff }, "the worker breaks open requests off");
    }
    return reason;
  }

  onFinished(listener: () => void): void {
    this.#listeners.push(listener);
  }

  record(exchange: Exchange, status: number): void {
    const last = this.#open.pop()!;
    if (last !== exchange) {
      this.#open[exchange.index] = last;
      last.index = exchange.index;
    }
    if (exchange.route === "") exchange.route = this.#nameMount?.(exchange.req) ?? "";
    const endedAt = performance.now();
    const seconds = (endedAt - exchange.startedAt) / 1_000;
    const labels = {
      http_request_method: exchange.method,
      http_route: exchange.route,
      http_response_status_code: status,
    };
    this.#metrics.requestDurations.observe(labels, seconds);
    endServerSpan(exchange, status, endedAt);
    this.#accessLog.write(exchange, status, seconds);
    for (const listener of this.#listeners) listener();
  }

  /** From here on, whatever runs belongs to the request; so do the listeners of its event after the one that calls this. */
  #begin(req: IncomingMessage, res?: ServerResponse): Exchange {
    const exchange = new Exchange(req, this);
    exchange.index = this.#open.push(exchange) - 1;
    exchange.res = res;
    res?.on("close", onClose);
    // Node has no context of its own here, and `run` would make another one only to go back to that.
    scopes.enterWith({ request: exchange, telemetry: undefined });
    return exchange;
  }

  #oldestFirst(): Exchange[] {
    return this.#open.toSorted((a, b) => a.startedAt - b.startedAt);
  }

  #beginUpgrade(req: IncomingMessage, socket: Duplex): void {
    const exchange = this.#begin(req);
    // All that comes over the socket later belongs to the request, too.
    socket.emit = AsyncResource.bind<typeof socket.emit, unknown>(socket.emit.bind(socket));
    watchHandshake(socket, exchange);
    this.#upgraded.add(socket);
    socket.once("close", () => {
      this.#upgraded.delete(socket);
      exchange.end(exchange.upgradeStatus ?? CLIENT_LEFT);
    });
  }
}

function onClose(this: ServerResponse): void {
  exchangeOf(this.req)?.abandon(this);
}

/** What is refused before the framework sees it: a request has a target and one host; RFC 9112, 3.2. */
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

/** Only WebSockets are upgraded, where somebody else listens; RFC 9110, 7.8 lets a server ignore all else. */
function isWebSocket(this: Server, { headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket" && this.listenerCount("upgrade") > 1;
}

/** Adds the ids to the first answer over an upgraded socket, which no ServerResponse writes, and notes its status. */
function watchHandshake(socket: Duplex, exchange: Exchange): void {
  const { requestId, correlationId } = exchange;
  const ids = `X-Request-ID: ${requestId}\r\nX-Correlation-ID: ${correlationId}\r\n`;
  for (const method of ["write", "end"] as const) {
    const original = socket[method] as (...args: unknown[]) => never;
    socket[method] = (chunk?: unknown, ...rest: unknown[]): never => {
      socket[method] = original;
      const text = String(chunk);
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
      if (status === undefined) return original.call(socket, chunk, ...rest);
      exchange.upgradeStatus = Number(status);
      const hasIds = /^x-request-id:/im.test(text);
      return original.call(socket, hasIds ? text : text.replace("\r\n", `\r\n${ids}`), ...rest);
    };
  }
}
