import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { STATUS_CODES } from "../node-http.ts";
import { requestIds } from "../request-ids.ts";
import { errorText } from "./error-text.ts";

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
 * not end) with the standard's error body, and closes. Replaces the framework's own answer, which has another form.
 */
export function answerProtocolErrors(server: Server): void {
  server.on("checkExpectation", refuseExpectation);
  server.removeAllListeners("clientError");
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
    // What has been written of the other answer still goes out.
    else if (isAnswering(socket)) socket.destroySoon();
    else socket.end(format(REFUSALS[error.code ?? ""] ?? MALFORMED), () => socket.destroy());
  });
}

/** An `Expect` header other than 100-continue; Node's own answer has no body. */
function refuseExpectation(req: IncomingMessage, res: ServerResponse): void {
  const { requestId, correlationId } = requestIds(req.headers);
  const body = errorText("EXPECTATION_FAILED", "this expectation cannot be met", requestId);
  res.shouldKeepAlive = false;
  res.writeHead(417, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    "X-Request-ID": requestId,
    "X-Correlation-ID": correlationId,
  });
  res.end(body);
}

/** Another request's response has begun on this connection: bytes in between would corrupt it. Node's own test. */
function isAnswering(socket: Socket & { _httpMessage?: { headersSent: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent ?? false;
}

function format({ status, code, message }: Refusal): string {
  const id = randomUUID();
  const body = errorText(code, message, id);
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${id}`,
    `X-Correlation-ID: ${id}`,
    "",
    body,
  ].join("\r\n");
}
