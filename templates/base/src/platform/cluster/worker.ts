import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { limitConnections } from "../http/connections.ts";
import type { Logger } from "../logging.ts";
import { type ClusterHooks, QUICK_TIMEOUT } from "./config.ts";
import { exposeRequests } from "./hang-report.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { answerProtocolErrors } from "./protocol-errors.ts";
import {
  type DrainMode,
  readWorkerConfig,
  type Role,
  type ToPrimary,
  type ToWorker,
  type WorkerConfig,
  type WorkerService,
} from "./protocol.ts";
import { canInherit, LISTEN_FD } from "./startup.ts";

export interface WorkerOptions {
  log: Logger;
  /** To bind where no socket is inherited (Windows). */
  port: number;
  host: string;
  postFork: ClusterHooks["postFork"];
  /** Loads and starts the service, or its background work. */
  start(role: Role): Promise<WorkerService>;
}

const MAX_EXCEPTIONS = 100;
// A terminal sends its signals to the whole process group; only the primary acts on them.
const IGNORED = ["SIGINT", "SIGQUIT", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR2"] as const;

/** Runs the service in this process until the primary stops it, or is gone. @returns the exit code. */
export async function runWorker(options: WorkerOptions): Promise<number> {
  const { log } = options;
  const config = readWorkerConfig();
  process.title = `${config.role === "web" ? "" : "background "}worker ${config.worker}: ${config.processTitle}`;
  for (const signal of IGNORED) process.on(signal, () => {});
  process.on("SIGTERM", () => send({ type: "retire", reason: "signal" }));

  let drain: Drain | undefined;
  let pending: DrainMode | undefined;
  const onDrain = (mode: DrainMode): void => {
    if (drain) drain.begin(mode);
    else pending = mode;
  };
  process.on("message", (message: ToWorker) => {
    if (message.type === "drain") onDrain(message.mode);
  });
  // The primary is gone, so nothing replaces this worker or kills it: it finishes its requests and exits.
  process.once("disconnect", () => onDrain("replace"));
  const crash = handleCrash(log, () => drain !== undefined);

  let service: WorkerService;
  try {
    await options.postFork?.({ worker: config.worker, pid: process.pid });
    service = await options.start(config.role);
  } catch (error) {
    log.fatal({ error, worker_pid: process.pid }, "the service failed to start");
    return 3;
  }
  exposeRequests(() => service.requestsInFlight());
  await listen(service, config, options);
  drain = createDrain(service, config);
  const heartbeat = startHeartbeat(service, config, log, send);
  send({ type: "ready" });
  if (pending) drain.begin(pending);

  await drain.finished;
  await service.close();
  await heartbeat.stop();
  return crash.exceptions > 0 ? 1 : 0;
}

/**
 * An exception that nobody caught (or a rejection, which Node turns into one) costs the process, but not its other
 * requests: it asks for a replacement and serves until the primary drains it.
 */
function handleCrash(log: Logger, isServing: () => boolean): { exceptions: number } {
  const crash = { exceptions: 0 };
  process.on("uncaughtException", (error, origin) => {
    const serving = isServing() && process.connected;
    const consequence = serving ? "the worker exits when it is replaced" : "the process exits";
    log.fatal({ error, origin, worker_pid: process.pid }, `uncaught exception: ${consequence}`);
    crash.exceptions += 1;
    if (!serving || crash.exceptions > MAX_EXCEPTIONS) process.exit(1);
    if (crash.exceptions === 1) send({ type: "retire", reason: "crash" });
  });
  return crash;
}

async function listen(
  { server }: WorkerService,
  config: WorkerConfig,
  { log, port, host }: WorkerOptions,
): Promise<void> {
  if (server === undefined) return;
  server.keepAliveTimeout = config.keepAlive * 1_000;
  limitConnections(server, config, log);
  answerProtocolErrors(server, log);
  // As an argument: Node ignores the option `backlog` next to `fd`.
  server.listen(canInherit ? { fd: LISTEN_FD } : { port, host }, config.backlog);
  await once(server, "listening");
}

/** A message that cannot be sent has no reader left; `disconnect` handles that. */
function send(message: ToPrimary, sent: () => void = () => {}): void {
  if (process.connected) process.send?.(message, undefined, undefined, sent);
  else sent();
}

interface Drain {
  /** Begins, or shortens a drain that has begun. */
  begin: (mode: DrainMode) => void;
  /** Resolves when no connection is left. */
  finished: Promise<void>;
}

/** In milliseconds of performance.now(). */
interface Deadlines {
  acceptUntil: number;
  /** Idle connections stay open until then, to come back once and receive `Connection: close`. */
  keepIdleUntil: number;
  cutAt: number;
}

const PASS_MS = 100;
/** A request may be on its way over a connection that was accepted a moment ago. */
const LINGER_MS = 500;

function createDrain(service: WorkerService, config: WorkerConfig): Drain {
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  let deadlines: Deadlines | undefined;
  return {
    finished,
    begin(mode) {
      service.beginDrain({ stopping: mode !== "replace" });
      const wanted = deadlinesFor(mode, config);
      if (deadlines) {
        deadlines.acceptUntil = Math.min(deadlines.acceptUntil, wanted.acceptUntil);
        deadlines.keepIdleUntil = Math.min(deadlines.keepIdleUntil, wanted.keepIdleUntil);
        deadlines.cutAt = Math.min(deadlines.cutAt, wanted.cutAt);
        return;
      }
      deadlines = wanted;
      if (service.server === undefined) resolve();
      else void closeInSteps(service.server, deadlines).then(resolve);
    },
  };
}

function deadlinesFor(mode: DrainMode, config: WorkerConfig): Deadlines {
  const now = performance.now();
  if (mode === "quick") {
    return { acceptUntil: now, keepIdleUntil: now, cutAt: now + QUICK_TIMEOUT * 1_000 };
  }
  const delayMs = config.deregistrationDelay * 1_000;
  const acceptUntil = mode === "stop" ? now + delayMs : now;
  const keepIdleUntil = Math.max(now + delayMs, acceptUntil + LINGER_MS);
  return { acceptUntil, keepIdleUntil, cutAt: acceptUntil + config.gracefulTimeout * 1_000 };
}

async function closeInSteps(server: HttpServer, deadlines: Deadlines): Promise<void> {
  const closed = once(server, "close").then(() => true);
  for (;;) {
    const now = performance.now();
    // Only the listening socket: an HTTP server's own close would also close idle connections at once, and the
    // request that is on its way over one of them would meet a reset (nodejs/node#60617).
    if (now >= deadlines.acceptUntil && server.listening) Server.prototype.close.call(server);
    if (now >= deadlines.keepIdleUntil) server.closeIdleConnections();
    if (now >= deadlines.cutAt) server.closeAllConnections();
    if (await Promise.race([closed, delay(PASS_MS, false)])) return;
  }
}
