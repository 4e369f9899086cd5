import { once } from "node:events";
import type { Server } from "node:http";
import type { BoundSocket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { isatty } from "node:tty";
import type { Logger } from "../logging.ts";
import type { StandardSettings } from "../settings.ts";
import { type ClusterOptions, type ClusterPlan, makePlan } from "./config.ts";
import { beginReload, beginRestart, finishReload } from "./reload.ts";
import { bind, bindForWorkers, removePidfile, StartError, writePidfile } from "./startup.ts";
import {
  alive,
  callHook,
  type Cluster,
  createCluster,
  increment,
  type Pool,
  type StopMode,
} from "./state.ts";
import { halt, killOverdue, manage } from "./workers.ts";

export interface PrimaryOptions {
  main: string;
  /** Whether there is background work: it gets a process of its own. */
  background: boolean;
  settings: StandardSettings;
  log: Logger;
  /** cluster.config.ts at the start. */
  options: ClusterOptions;
  /** Reads cluster.config.ts as it is now. */
  loadOptions(): Promise<ClusterOptions>;
}

// USR1 is Node's own.
const SIGNALS = [
  "SIGTERM",
  "SIGINT",
  "SIGQUIT",
  "SIGHUP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGUSR2",
] as const;
const STOP_MODES: StopMode[] = ["stop", "quick", "kill"];
const PARENT_CHECK_MS = 500;
/** A pause of the primary that is longer than a busy machine explains. */
const PAUSE_MS = 2_000;

/**
 * Gunicorn's arbiter: keeps the desired number of workers running until a signal ends it.
 * @returns the exit code.
 * @throws {StartError} when the configuration contradicts itself or a port is taken.
 */
export async function runPrimary(options: PrimaryOptions): Promise<number> {
  const { settings, log, background } = options;
  const planFor = async (clusterOptions: ClusterOptions): Promise<ClusterPlan> => {
    const { plan, problems } = await makePlan(clusterOptions, settings, { background });
    if (problems.length > 0) throw new StartError(problems);
    return plan;
  };
  const plan = await planFor(options.options);
  process.title = `primary: ${plan.processTitle}`;
  const socket = bindForWorkers(plan.bind, settings.PORT);
  const cluster = createCluster(options.main, settings.VERSION, log, plan, socket);
  const adminSocket = bind(plan.bind, settings.METRICS_PORT, "METRICS_PORT");
  if (plan.pidfile) writePidfile(plan.pidfile);
  await plan.hooks.onStarting?.();

  process.on("uncaughtException", (error, origin) => {
    log.fatal({ error, origin, worker_pid: process.pid }, "uncaught exception: the process exits");
    process.exit(1);
  });
  listenForSignals(cluster, async () => planFor(await options.loadOptions()));
  log.info(
    { workers: plan.workers, port: settings.PORT, metrics_port: settings.METRICS_PORT },
    "starting",
  );
  cluster.events.add();
  const opening = openAdminServer(cluster, adminSocket);
  await run(cluster);

  const adminServer = await opening;
  adminServer.close();
  adminServer.closeAllConnections();
  if (plan.pidfile) removePidfile(plan.pidfile);
  await callHook(cluster, "onExit");
  log.info({ exit_code: cluster.exitCode }, "stopped");
  return cluster.exitCode;
}

/** Opens the metrics port. After the first fork, which loading the server would delay. */
async function openAdminServer(cluster: Cluster, socket: BoundSocket): Promise<Server> {
  await setImmediate();
  const { createAdminServer } = await import("./admin-server.ts");
  const server = createAdminServer(cluster);
  server.listen(socket);
  await once(server, "listening");
  return server;
}

/** The one loop: handles what came in, then moves the workers towards the plan. */
async function run(cluster: Cluster): Promise<void> {
  while (!cluster.stopping || cluster.workers.size > 0) {
    // How late a deadline may be noticed.
    const wait = cluster.stopping ? 100 : Math.min(1_000, cluster.plan.timeout * 100 || 1_000);
    const before = performance.now();
    const events = await cluster.events.take(wait);
    ignoreOwnPause(cluster, performance.now() - before - wait);
    for (const event of events) await event();
    killOverdue(cluster);
    await manage(cluster);
    finishReload(cluster);
    await markReady(cluster);
  }
}

/** A primary that was paused itself (SIGSTOP, a debugger, a frozen container) must not blame its workers. */
function ignoreOwnPause(cluster: Cluster, pausedMs: number): void {
  if (pausedMs < PAUSE_MS) return;
  for (const worker of cluster.workers) worker.lastBeatAt += pausedMs;
}

async function markReady(cluster: Cluster): Promise<void> {
  if (cluster.started || cluster.stopping) return;
  const isComplete = (pool: Pool): boolean =>
    alive(cluster, pool).filter(({ wasReady }) => wasReady).length >= pool.desired;
  if (!Object.values(cluster.pools).every(isComplete)) return;
  cluster.started = true;
  // Load the metrics client now: earlier delays the first fork, later may load files of a newer build.
  await import("./admin-metrics.ts");
  cluster.log.info({ workers: cluster.pools.web.desired }, "service ready");
  await callHook(cluster, "whenReady");
}

function listenForSignals(cluster: Cluster, readPlan: () => Promise<ClusterPlan>): void {
  const wasTerminal = isatty(0);
  const enqueue = (signal: NodeJS.Signals): void =>
    cluster.events.add(() => handleSignal(cluster, signal, readPlan));
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      // A terminal that is closed sends HUP too, and then there is nothing to reload for.
      const hungUp = signal === "SIGHUP" && wasTerminal && !isatty(0);
      enqueue(hungUp ? "SIGINT" : signal);
    });
  }
  // Started by a watcher or a test: when that is gone, nothing else stops this process.
  process.once("disconnect", () => enqueue("SIGTERM"));
  if (process.env["npm_lifecycle_event"]) stopWithParent(() => enqueue("SIGTERM"));
}

/** A shell between npm and this process may keep the TERM that npm forwards to itself. */
function stopWithParent(stop: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, PARENT_CHECK_MS);
}

async function handleSignal(
  cluster: Cluster,
  signal: NodeJS.Signals,
  readPlan: () => Promise<ClusterPlan>,
): Promise<void> {
  const { log, stopping, pools } = cluster;
  log.info({ signal }, "signal received");
  if (signal === "SIGTERM" || signal === "SIGINT" || signal === "SIGQUIT") {
    halt(cluster, nextStopMode(stopping, signal));
  } else if (stopping) return;
  else if (signal === "SIGHUP") await reload(cluster, readPlan);
  else if (signal === "SIGUSR2") beginRestart(cluster);
  else if (signal === "SIGTTIN") pools.web.desired += 1;
  else if (signal === "SIGTTOU") pools.web.desired = Math.max(1, pools.web.desired - 1);
}

/** A second TERM, INT or QUIT ends more quickly than the first. */
function nextStopMode(current: StopMode | undefined, signal: NodeJS.Signals): StopMode {
  if (current === undefined) return signal === "SIGTERM" ? "stop" : "quick";
  return STOP_MODES[STOP_MODES.indexOf(current) + 1] ?? "kill";
}

/** An invalid configuration changes nothing. */
async function reload(cluster: Cluster, readPlan: () => Promise<ClusterPlan>): Promise<void> {
  let plan: ClusterPlan;
  try {
    plan = await readPlan();
  } catch (error) {
    increment(cluster.reloads, "failed");
    const problems = error instanceof StartError ? error.problems : [];
    cluster.log.error(
      { error, problems },
      "reload abandoned: cluster.config is invalid; nothing has changed",
    );
    return;
  }
  beginReload(cluster, plan);
  await callHook(cluster, "onReload");
}
