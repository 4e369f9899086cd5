import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Logger } from "../logging.ts";
import { STATUS_CODES } from "../http/node-http.ts";
import { errorText } from "../http/error-text.ts";

interface Refusal {
  status: number;
  code: string;
  message: string;
}

const MALFORMED: Refusal = {
  status: 400,
  code: "VALIDATION_ERROR",
  message: "malformed HTTP request",
};
const REFUSALS: Record<string, Refusal> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: "HEADERS_TOO_LARGE",
    message: "the request's headers are too large",
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    code: "PAYLOAD_TOO_LARGE",
    message: "the chunk extensions are too large",
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: "REQUEST_TIMEOUT",
    message: "the request took too long to arrive",
  },
};

/**
 * Answers what never becomes a request (a malformed request line, headers beyond the limit, a request that does
 * not end) with the standard's error body, logs that, and closes. Replaces the framework's own answer, which has another
 * form.
 */
export function answerProtocolErrors(server: Server, log: Logger): void {
  server.removeAllListeners("clientError");
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
    // What has been written of the other answer still goes out.
    else if (isAnswering(socket)) socket.destroySoon();
    else refuse(socket, REFUSALS[error.code ?? ""] ?? MALFORMED, log);
  });
}

/** Another request's response has begun on this connection: bytes in between would corrupt it. Node's own test. */
function isAnswering(socket: Socket & { _httpMessage?: { headersSent: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent ?? false;
}

function refuse(socket: Socket, { status, code, message }: Refusal, log: Logger): void {
  const id = randomUUID();
  log.info(
    { request_id: id, correlation_id: id, code, status, remote_ip: socket.remoteAddress },
    `request refused: ${message}`,
  );
  const body = errorText(code, message, id);
  const answer = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${id}`,
    `X-Correlation-ID: ${id}`,
    "",
    body,
  ];
  socket.end(answer.join("\r\n"), () => socket.destroy());
}
