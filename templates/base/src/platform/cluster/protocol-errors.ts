import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { ERROR_STATUS, type ErrorCode, errorText } from "../errors.ts";
import { STATUS_CODES } from "../http/node-http.ts";
import type { Logger } from "../logging.ts";

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
    // A connection on which nothing has come, such as one that a browser opens in advance, is no request.
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
