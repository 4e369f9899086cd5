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
  server.on("timeout", (socket: Socket & { _httpMessage?: ServerResponse | null }) => {
    const res = socket._httpMessage;
    const remote = { remote_ip: socket.remoteAddress };
    // Between two requests: the keep-alive time is over.
    if (!res) socket.destroy();
    else if (socket.writableLength > 0) {
      log.info(remote, "the client has stopped reading its answer: its connection is closed");
      socket.destroy();
    } else if (isWaitedFor(res.req)) {
      const error = new Error("the client has stopped sending its body");
      server.emit(
        "clientError",
        Object.assign(error, { code: "ERR_HTTP_REQUEST_TIMEOUT" }),
        socket,
      );
    }
    // The service takes its time, and the client waits.
    else socket.setTimeout(server.timeout);
  });
}

/** Whether it is the client who holds a body up, and not somebody here who does not read it. */
function isWaitedFor(req: IncomingMessage & { expecting?: unknown }): boolean {
  const isFull = req.readableLength >= req.readableHighWaterMark;
  return !req.complete && !isFull && req.expecting === undefined;
}
