import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ERROR_STATUS, type ErrorCode, errorText } from "../errors.ts";
import type { Logger } from "../logging.ts";
import { STATUS_CODES } from "./node-http.ts";

/** Times in seconds; 0: none. */
export interface ConnectionLimits {
  headersTimeout: number;
  requestTimeout: number;
  stallTimeout: number;
  maxConnections: number;
}

const DROP_LOG_MS = 60_000;
/** For a client whose first bytes waited in the socket while the worker was busy. */
const MOMENT_MS = 1_000;

type Watched = Socket & { _httpMessage?: ServerResponse | null; bytesReadBefore?: number };

/** Bounds how many clients hold a connection, and for how long they hold it up; answers what is not a request. */
export function limitConnections(server: Server, limits: ConnectionLimits, log: Logger): void {
  answerProtocolErrors(server, log);
  server.headersTimeout = limits.headersTimeout * 1_000;
  server.requestTimeout = limits.requestTimeout * 1_000;
  server.maxConnections = limits.maxConnections;
  let quietUntil = 0;
  server.on("drop", () => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + DROP_LOG_MS;
    const { maxConnections } = limits;
    log.warn({ maxConnections }, "connections are closed at once: there are too many");
  });
  // When nothing moves on a connection, in either direction.
  server.timeout = limits.stallTimeout * 1_000;
  server.on("timeout", (socket: Watched) => {
    const res = socket._httpMessage;
    const remote = { remote_ip: socket.remoteAddress };
    // Between two requests: the keep-alive time is over.
    if (!res) socket.destroy();
    else if (socket.writableLength > 0) {
      log.info(remote, "the client has stopped reading its answer: its connection is closed");
      socket.destroy();
    } else if (!isWaitedFor(res.req) || hasMoved(socket)) {
      // The handler is still at work: the connection stays.
      socket.setTimeout(server.timeout);
    } else if (socket.bytesReadBefore === undefined) {
      socket.bytesReadBefore = socket.bytesRead;
      socket.setTimeout(MOMENT_MS);
    } else {
      const error = new Error("the client has stopped sending its body");
      server.emit(
        "clientError",
        Object.assign(error, { code: "ERR_HTTP_REQUEST_TIMEOUT" }),
        socket,
      );
    }
  });
}

function hasMoved(socket: Watched): boolean {
  const before = socket.bytesReadBefore;
  if (before === undefined || before === socket.bytesRead) return false;
  delete socket.bytesReadBefore;
  return true;
}

/** Whether the client stalls in the middle of a body, rather than the handler that does not read it. */
function isWaitedFor(req: IncomingMessage & { expecting?: unknown }): boolean {
  const isFull = req.readableLength >= req.readableHighWaterMark;
  return !req.complete && !isFull && req.expecting === undefined;
}

const MALFORMED: Answer = ["VALIDATION_ERROR", "malformed HTTP request"];
/** Answers by the error code of Node's parser. */
const ANSWERS: Record<string, Answer> = {
  HPE_HEADER_OVERFLOW: ["HEADERS_TOO_LARGE", "the request's headers are too large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["PAYLOAD_TOO_LARGE", "the chunk extensions are too large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["REQUEST_TIMEOUT", "the request took too long to arrive"],
};

type Answer = [code: ErrorCode, message: string];

/**
 * Answers what never becomes a request (a malformed request line, headers beyond the limit, a request that does
 * not end) with the standard's error body, logs that, and closes. Replaces the framework's own listener, whose
 * body has another form.
 */
export function answerProtocolErrors(server: Server, log: Logger): void {
  server.removeAllListeners("clientError");
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    // A connection on which nothing has come, such as one that a browser opens in advance, is not a request.
    const isSilent = socket.bytesRead === 0;
    if (error.code === "ECONNRESET" || isSilent || !socket.writable) socket.destroy();
    // The rest of the response that has begun still goes out.
    else if (isAnswering(socket)) socket.destroySoon();
    else answer(socket, ANSWERS[error.code ?? ""] ?? MALFORMED, log);
  });
}

/** Another request's response has begun on this connection: bytes in between would corrupt it. Node's own test. */
function isAnswering(socket: Socket & { _httpMessage?: { headersSent: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent ?? false;
}

function answer(socket: Socket, [code, message]: Answer, log: Logger): void {
  const status = ERROR_STATUS[code];
  const id = randomUUID();
  log.info(
    { request_id: id, correlation_id: id, code, status, remote_ip: socket.remoteAddress },
    `request refused: ${message}`,
  );
  const body = errorText(code, message, id);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${id}`,
    `X-Correlation-ID: ${id}`,
    "",
    body,
  ];
  socket.end(lines.join("\r\n"), () => socket.destroy());
}
