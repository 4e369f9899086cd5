import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Logger } from "../logging.ts";

/** Times in seconds; 0: none. */
export interface ConnectionLimits {
  headersTimeout: number;
  requestTimeout: number;
  stallTimeout: number;
  maxConnections: number;
}

const DROP_LOG_MS = 60_000;
/** For the first bytes of a client that had to wait until somebody here read them. */
const MOMENT_MS = 1_000;

type Watched = Socket & { _httpMessage?: ServerResponse | null; bytesReadBefore?: number };

/** Bounds how many clients hold a connection, and for how long they hold it up. */
export function limitConnections(server: Server, limits: ConnectionLimits, log: Logger): void {
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
  // Of a connection on which nothing moves, in either direction.
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
      // The service takes its time, and the client waits.
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

/** Whether it is the client who holds a body up, and not somebody here who does not read it. */
function isWaitedFor(req: IncomingMessage & { expecting?: unknown }): boolean {
  const isFull = req.readableLength >= req.readableHighWaterMark;
  return !req.complete && !isFull && req.expecting === undefined;
}
