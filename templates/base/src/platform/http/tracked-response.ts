import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { runInRequest } from "../context.ts";
import { CLIENT_LEFT, type Exchange, exchangeOf } from "./exchange.ts";
import * as nodeHttp from "./node-http.ts";

/** How long the rest of a refused body is read and dropped before its connection is closed. */
const LINGER_MS = 2_000;

type GivenHeaders = OutgoingHttpHeaders | readonly OutgoingHttpHeader[];

export class TrackedRequest extends nodeHttp.IncomingMessage {
  /** Of a client that waits for "100 Continue": the response, until it was told to send it. */
  declare expecting?: ServerResponse | undefined;

  /** A client that waits is told to go on when somebody reads the body, and never after a refusal. */
  override _read(size: number): void {
    const res = this.expecting;
    if (res !== undefined) this.expecting = undefined;
    if (res?.headersSent === false) res.writeContinue();
    super._read(size);
  }

  /** Listeners of an aborted request run in its context; the socket's events have none. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const exchange = error === null ? undefined : exchangeOf(this);
    if (exchange === undefined) super._destroy(error, done);
    else runInRequest(exchange, () => super._destroy(error, done));
  }
}

class TrackedResponse extends nodeHttp.ServerResponse {
  override writeHead(status: number, reason?: unknown, given?: unknown): this {
    const exchange = exchangeOf(this.req);
    if (exchange === undefined) return super.writeHead(status, reason as never, given as never);
    const mustClose = exchange.isClosing || (this.req as TrackedRequest).expecting !== undefined;
    if (mustClose) this.shouldKeepAlive = false;
    const text = typeof reason === "string" ? reason : undefined;
    const headers = (text === undefined ? (reason ?? given) : given) as GivenHeaders | undefined;
    if (headers !== undefined) {
      return super.writeHead(status, text, withOwn(exchange, headers, hasNoBody(status)));
    }
    const own = exchange.headers;
    for (let at = 0; at < own.length; at += 2) this.setHeader(own[at]!, own[at + 1]!);
    if (hasNoBody(status)) this.removeHeader("Content-Length");
    return super.writeHead(status, text);
  }

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    exchangeOf(this.req)?.countBytes(chunk, encoding);
    return super.write(chunk, encoding as BufferEncoding, callback as () => void);
  }

  override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
    const exchange = exchangeOf(this.req);
    if (exchange === undefined) return super.end(chunk, encoding as never, callback as never);
    if (exchange.isStillSending) {
      endAfterBody(this, chunk, encoding, callback, (done) => super.end(done));
    } else {
      const bytes = exchange.countBytes(chunk, encoding);
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
    const exchange = exchangeOf(this.req);
    if (!this.destroyed && exchange !== undefined) {
      exchange.error ??= error ?? new Error("the answer broke off");
    }
    return super.destroy(error);
  }
}

/**
 * Gives Node's own class the methods of one of ours, whose `super` is then what Node had. A class alone would be lost where
 * Express is called as a function, as by vhost and @fastify/express: it sets the prototypes of request and response.
 */
function putInto(own: { prototype: object }, tracked: { prototype: object }): void {
  const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(tracked.prototype);
  const before = Object.getOwnPropertyDescriptors(own.prototype);
  Object.setPrototypeOf(
    tracked.prototype,
    Object.create(Object.getPrototypeOf(own.prototype), before),
  );
  Object.defineProperties(own.prototype, methods);
}
putInto(nodeHttp.IncomingMessage, TrackedRequest);
putInto(nodeHttp.ServerResponse, TrackedResponse);

/** The classes of a server's requests and responses: new ones for each, as a framework adds its methods to them. */
export const trackedClasses = () => ({
  IncomingMessage: class extends nodeHttp.IncomingMessage {},
  ServerResponse: class extends nodeHttp.ServerResponse {},
});

/** Such an answer has no length either; RFC 9110, 8.6. */
function hasNoBody(status: number): boolean {
  return status === 204 || status === 304;
}

/** The headers of an answer after those that all answers have, which win. */
function withOwn(exchange: Exchange, given: GivenHeaders, isEmpty: boolean): OutgoingHttpHeader[] {
  const all: OutgoingHttpHeader[] = exchange.headers.slice();
  if (Array.isArray(given)) {
    const pairs = (Array.isArray(given[0]) ? given.flat() : given) as OutgoingHttpHeader[];
    for (let at = 0; at < pairs.length; at += 2) {
      const name = String(pairs[at]);
      if (isSent(name, exchange, isEmpty)) all.push(name, pairs[at + 1]!);
    }
  } else {
    const headers = given as OutgoingHttpHeaders;
    for (const name in headers) {
      if (isSent(name, exchange, isEmpty)) all.push(name, headers[name]!);
    }
  }
  return all;
}

const OWN_NAMES = new Set(["x-request-id", "x-correlation-id", "x-content-type-options"]);

function isSent(name: string, { error }: Exchange, isEmpty: boolean): boolean {
  // The fast path: all own headers begin with an x.
  if (name[0] === "x" || name[0] === "X") return !OWN_NAMES.has(name.toLowerCase());
  if (isEmpty && name.toLowerCase() === "content-length") return false;
  // Fastify would close after each body that it refuses; `writeHead` decides that.
  return name !== "connection" || error === undefined;
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
  const done = [chunk, encoding, callback].find((given) => typeof given === "function");
  if (done !== undefined) res.once("finish", done as () => void);
  const isBody = chunk !== undefined && chunk !== null && chunk !== done;
  if (isBody && req.method !== "HEAD") res.write(chunk, encoding as BufferEncoding);
  else res.flushHeaders();
  const finish = (): void => {
    clearTimeout(timer);
    req.off("end", finish).off("close", finish);
    // The rest of the body is not read.
    end(() => void (req.complete || req.socket.destroySoon()));
  };
  const timer = setTimeout(finish, LINGER_MS);
  // A client that waits for "100 Continue" sends nothing after a refusal.
  if ((req as TrackedRequest).expecting !== undefined) return finish();
  req.once("end", finish).once("close", finish).resume();
}
