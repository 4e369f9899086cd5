import { once } from "node:events";
import type { Logger } from "../logging.ts";
import { exposeRequests } from "./autopsy.ts";
import type { ClusterHooks } from "./config.ts";
import { createDrain, type Drain } from "./drain.ts";
import { exitOnFatal } from "./fatal.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { canInherit, LISTEN_FD } from "./listen-socket.ts";
import type { DrainMode, ToPrimary, ToWorker } from "./messages.ts";
import { type Role, takeOrders, type WorkerOrders } from "./orders.ts";
import { answerProtocolErrors } from "./protocol-errors.ts";
import type { WorkerService } from "./service.ts";

export interface WorkerOptions {
  log: Logger;
  /** The port and address to bind where no socket is inherited (Windows). */
  port: number;
  host: string;
  postFork: ClusterHooks["postFork"];
  /** Loads and starts the service, or its background work. */
  start(role: Role): Promise<WorkerService>;
}

/** Node's default, which the keep-alive time must not exceed. */
const HEADERS_TIMEOUT_MS = 60_000;
// A terminal sends its signals to the whole process group; what they mean is for the primary to say.
const IGNORED = ["SIGINT", "SIGQUIT", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR2"] as const;

/** Runs the service in this process until the primary says stop, or is gone. @returns the exit code. */
export async function runWorker(options: WorkerOptions): Promise<number> {
  const { log } = options;
  const orders = takeOrders();
  process.title = `${orders.role === "web" ? "" : "background "}worker ${orders.worker}: ${orders.title}`;
  for (const signal of IGNORED) process.on(signal, () => {});
  process.on("SIGTERM", () => tell({ type: "retire", reason: "signal" }));

  const calls = listenToPrimary();
  let drain: Drain | undefined;
  exitOnFatal(log, () => drain);
  let service: WorkerService;
  try {
    await options.postFork?.({ worker: orders.worker, pid: process.pid });
    service = await options.start(orders.role);
  } catch (error) {
    log.fatal({ error, worker_pid: process.pid }, "the service failed to start");
    return 3;
  }
  exposeRequests(() => service.requestsInFlight());
  await open(service, orders, options);
  drain = createDrain(service, orders);
  const heart = startHeartbeat(service, orders, log, tell);
  tell({ type: "ready" });
  calls.forward(drain.begin);

  await drain.finished;
  await service.close();
  await heart.stop();
  return 0;
}

/** Calls to drain that come in while the service still starts wait until it has; the last one counts. */
function listenToPrimary(): { forward(listener: (mode: DrainMode) => void): void } {
  let pending: DrainMode | undefined;
  let deliver = (mode: DrainMode): void => void (pending = mode);
  process.on("message", (message: ToWorker) => {
    if (message.type === "drain") deliver(message.mode);
  });
  // The primary is gone, so nobody replaces this worker or kills it: it finishes its requests and goes.
  process.once("disconnect", () => deliver("replace"));
  return {
    forward(listener) {
      deliver = listener;
      if (pending) listener(pending);
    },
  };
}

async function open(
  service: WorkerService,
  orders: WorkerOrders,
  { log, port, host }: WorkerOptions,
): Promise<void> {
  const { server } = service;
  if (server === undefined) return;
  server.keepAliveTimeout = orders.keepAlive * 1_000;
  server.headersTimeout = Math.max(HEADERS_TIMEOUT_MS, server.keepAliveTimeout + 1_000);
  answerProtocolErrors(server, log);
  const { backlog } = orders;
  server.listen(canInherit ? { fd: LISTEN_FD, backlog } : { port, host, backlog });
  await once(server, "listening");
}

/** A message that cannot be sent has lost its reader; `disconnect` deals with that. */
function tell(message: ToPrimary, sent: () => void = () => {}): void {
  if (process.connected) process.send?.(message, undefined, undefined, sent);
  else sent();
}
