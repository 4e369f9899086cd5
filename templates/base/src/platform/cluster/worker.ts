import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { getHeapStatistics } from "node:v8";
import { limitConnections } from "../http/connections.ts";
import type { Logger } from "../logging.ts";
import { exposeRequests } from "../observability/hang-report.ts";
import { withTimeout } from "../timing.ts";
import { type ClusterHooks, QUICK_TIMEOUT } from "./config.ts";
import {
  BEAT_INTERVAL,
  type Beat,
  type DrainMode,
  MAX_REQUEST_IDS,
  readWorkerConfig,
  type Role,
  type ToPrimary,
  type ToWorker,
  type WorkerConfig,
  type WorkerService,
} from "./protocol.ts";
import { canInherit, LISTEN_FD } from "./host.ts";

export interface WorkerOptions {
  log: Logger;
  /** To bind where no socket is inherited (Windows). */
  port: number;
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

  const drain = createDrain(config);
  process.on("message", ({ mode }: ToWorker) => drain.begin(mode));
  // The primary is gone, so nothing replaces this worker or kills it: it finishes its requests and exits.
  process.once("disconnect", () => drain.begin("replace"));
  let isServing = false;
  const crash = handleCrash(log, () => isServing);

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
  isServing = true;
  const heartbeat = startHeartbeat(service, config, log, send);
  send({ type: "ready" });

  await drain.finish(service);
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
  { log, port }: WorkerOptions,
): Promise<void> {
  if (server === undefined) return;
  server.keepAliveTimeout = config.keepAlive * 1_000;
  limitConnections(server, config, log);
  // As an argument: Node ignores the option `backlog` next to `fd`.
  server.listen(canInherit ? { fd: LISTEN_FD } : { port, host: config.bind }, config.backlog);
  await once(server, "listening");
}

/** A message that cannot be sent has no reader left; `disconnect` handles that. */
function send(message: ToPrimary, sent: () => void = () => {}): void {
  if (process.connected) process.send?.(message, undefined, undefined, sent);
  else sent();
}

const QUIET_BEATS = 5;
/** A gauge of the service may wait for something that does not answer. */
const COLLECT_MS = 2_000;
/** Three in a row, because one may be garbage not yet collected. */
const HIGH_READINGS = 3;
const HEAP_SHARE = 0.85;
const MIB = 1024 * 1024;

/**
 * Sends a sign of life every second from a timer of the event loop that it vouches for, and asks for a
 * replacement when the worker has served enough requests or grown too large.
 * @returns `stop`, which sends the final metrics.
 */
export function startHeartbeat(
  service: WorkerService,
  config: Pick<WorkerConfig, "maxRequests" | "workerMemoryLimit">,
  log: Logger,
  tell: (message: ToPrimary, sent?: () => void) => void,
): { stop(): Promise<void> } {
  let served = 0;
  let servedAtLastPush = -1;
  let beats = 0;
  let highReadings = 0;
  let metricsFailed = false;
  let collecting = false;

  service.onRequestFinished(() => {
    served += 1;
    if (served === config.maxRequests) tell({ type: "retire", reason: "max_requests" });
  });

  // A metric that fails, or is late, must cost neither the heartbeat nor a log line every second.
  const collect = async (): Promise<object[] | undefined> => {
    collecting = true;
    const snapshot = service.metricsSnapshot().finally(() => (collecting = false));
    try {
      return await withTimeout(snapshot, COLLECT_MS);
    } catch (error) {
      if (!metricsFailed) log.error({ error }, "collecting the metrics failed");
      metricsFailed = true;
      return undefined;
    }
  };
  const compose = async (withMetrics: boolean): Promise<Beat> => {
    const requests = service.requestsInFlight().slice(0, MAX_REQUEST_IDS);
    const metrics = withMetrics ? await collect() : undefined;
    return { type: "beat", readiness: service.readiness(), requests, ...(metrics && { metrics }) };
  };
  const beat = async (): Promise<void> => {
    const due = served !== servedAtLastPush || beats % QUIET_BEATS === 0;
    const push = due && !collecting;
    beats += 1;
    if (push) servedAtLastPush = served;
    tell(await compose(push));
    highReadings = isTooLarge(config.workerMemoryLimit) ? highReadings + 1 : 0;
    if (highReadings === HIGH_READINGS) tell({ type: "retire", reason: "memory" });
  };

  void beat();
  const timer = setInterval(() => void beat(), BEAT_INTERVAL * 1_000);
  return {
    async stop() {
      clearInterval(timer);
      const last = await compose(true);
      await new Promise<void>((resolve) => tell(last, resolve));
    },
  };
}

/** Above the limit, or near the end of its heap: then V8 would soon end the process in mid-request. */
function isTooLarge(limitMib: number): boolean {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  if (used > HEAP_SHARE * limit) return true;
  return limitMib > 0 && process.memoryUsage.rss() > limitMib * MIB;
}

const PASS_MS = 100;
/** A request may be on its way over a connection that was accepted a moment ago. */
const LINGER_MS = 500;

/** The end of a worker. It may begin before the service has started, and again, which shortens it. */
function createDrain(config: WorkerConfig) {
  const begun = Promise.withResolvers<void>();
  const deadlines = { acceptUntil: Infinity, keepIdleUntil: Infinity, cutAt: Infinity };
  let stopping = false;
  let service: WorkerService | undefined;
  return {
    begin(mode: DrainMode): void {
      const { acceptUntil, keepIdleUntil, cutAt } = deadlinesFor(mode, config);
      deadlines.acceptUntil = Math.min(deadlines.acceptUntil, acceptUntil);
      deadlines.keepIdleUntil = Math.min(deadlines.keepIdleUntil, keepIdleUntil);
      deadlines.cutAt = Math.min(deadlines.cutAt, cutAt);
      stopping ||= mode !== "replace";
      service?.beginDrain({ stopping });
      begun.resolve();
    },
    /** Waits for the begin, and then until no connection is left. */
    async finish(started: WorkerService): Promise<void> {
      await begun.promise;
      service = started;
      service.beginDrain({ stopping });
      if (service.server) await closeInSteps(service.server, deadlines);
    },
  };
}

/** In milliseconds of performance.now(). Idle connections stay open to come back once and receive `Connection: close`. */
type Deadlines = ReturnType<typeof deadlinesFor>;

function deadlinesFor(mode: DrainMode, config: WorkerConfig) {
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
