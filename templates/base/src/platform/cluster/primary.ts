import type { BoundSocket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { isatty } from "node:tty";
import { makePlan } from "./config.ts";
import { beginReload, beginRestart, finishReload } from "./reload.ts";
import { bind, canInherit, removePidfile, writePidfile } from "./host.ts";
import {
  callHook,
  type Cluster,
  createCluster,
  type Pool,
  type PrimaryOptions,
  ready,
  type StopMode,
} from "./state.ts";
import { halt, killOverdue, manage } from "./workers.ts";

const STOP_SIGNALS: NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGQUIT"];
// USR1 is Node's own.
const OTHER_SIGNALS: NodeJS.Signals[] = ["SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR2"];
const STOP_MODES: StopMode[] = ["stop", "quick", "kill"];
const PARENT_CHECK_MS = 500;
/** Longer than a busy machine explains. */
const PAUSE_MS = 2_000;

/**
 * Gunicorn's arbiter: keeps the desired number of workers running until a signal ends it. Returns the exit code.
 * @throws {SettingsError} when the configuration contradicts itself or a port is taken.
 */
export async function runPrimary(options: PrimaryOptions): Promise<number> {
  const { settings, log } = options;
  const plan = await makePlan(options.options, settings, options);
  process.title = `primary: ${plan.processTitle}`;
  // By holding it, the primary keeps connections in the queue while no worker accepts.
  const socket = bind(plan.bind, settings.PORT, "PORT");
  if (!canInherit) socket.close();
  const cluster = createCluster(options, plan, socket);
  const adminSocket = bind(plan.metricsBind, settings.METRICS_PORT, "METRICS_PORT");
  if (plan.pidfile) writePidfile(plan.pidfile);
  await plan.hooks.onStarting?.();

  process.on("uncaughtException", (error, origin) => {
    log.fatal({ error, origin, worker_pid: process.pid }, "uncaught exception: the process exits");
    process.exit(1);
  });
  listenForSignals(cluster);
  log.info(
    { workers: plan.workers, port: settings.PORT, metrics_port: settings.METRICS_PORT },
    "starting",
  );
  cluster.events.add();
  void openAdminServer(cluster, adminSocket);
  await run(cluster);
  if (plan.pidfile) removePidfile(plan.pidfile);
  await callHook(cluster, "onExit");
  log.info({ exit_code: cluster.exitCode }, "stopped");
  return cluster.exitCode;
}

/** Opens the metrics port. After the first fork, which loading the server would delay. */
async function openAdminServer(cluster: Cluster, socket: BoundSocket): Promise<void> {
  await setImmediate();
  const { createAdminServer } = await import("./admin.ts");
  createAdminServer(cluster).listen(socket);
}

/** The one loop: handles what came in, then moves the workers towards the plan. */
async function run(cluster: Cluster): Promise<void> {
  while (!cluster.stopping || cluster.workers.size > 0) {
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
  const isComplete = (pool: Pool): boolean => ready(cluster, pool).length >= pool.desired;
  if (!Object.values(cluster.pools).every(isComplete)) return;
  cluster.started = true;
  // Load the metrics client now: earlier delays the first fork, later may load files of a newer build.
  await import("@prometheus-io/client");
  cluster.log.info({ workers: cluster.pools.web.desired }, "service ready");
  await callHook(cluster, "whenReady");
}

function listenForSignals(cluster: Cluster): void {
  const wasTerminal = isatty(0);
  const enqueue = (signal: NodeJS.Signals): void =>
    cluster.events.add(() => handleSignal(cluster, signal));
  for (const signal of [...STOP_SIGNALS, ...OTHER_SIGNALS]) {
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

async function handleSignal(cluster: Cluster, signal: NodeJS.Signals): Promise<void> {
  const { log, stopping, pools } = cluster;
  log.info({ signal }, "signal received");
  if (STOP_SIGNALS.includes(signal)) halt(cluster, nextStopMode(stopping, signal));
  else if (stopping) return;
  else if (signal === "SIGHUP") await beginReload(cluster);
  else if (signal === "SIGUSR2") beginRestart(cluster);
  else if (signal === "SIGTTIN") pools.web.desired += 1;
  else if (signal === "SIGTTOU") pools.web.desired = Math.max(1, pools.web.desired - 1);
}

/** A second TERM, INT or QUIT ends more quickly than the first. */
function nextStopMode(current: StopMode | undefined, signal: NodeJS.Signals): StopMode {
  if (current === undefined) return signal === "SIGTERM" ? "stop" : "quick";
  return STOP_MODES[STOP_MODES.indexOf(current) + 1] ?? "kill";
}
