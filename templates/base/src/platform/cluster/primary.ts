import { once } from "node:events";
import type { Server } from "node:http";
import { BoundSocket } from "node:net";
import { isatty } from "node:tty";
import type { Logger } from "../logging.ts";
import { createBackoff } from "./backoff.ts";
import type { ClusterOptions } from "./config.ts";
import { halt, nextStopMode } from "./halt.ts";
import { callHook } from "./hooks.ts";
import { createHub } from "./hub.ts";
import { createInbox } from "./inbox.ts";
import { manage } from "./manage.ts";
import type { ToPrimary } from "./messages.ts";
import { createMetricsHistory } from "./metrics-history.ts";
import { murder } from "./murder.ts";
import { removePidfile, writePidfile } from "./pidfile.ts";
import { type ClusterPlan, type ClusterSettings, makePlan } from "./plan.ts";
import { createPrimaryMetrics } from "./primary-metrics.ts";
import { reap } from "./reap.ts";
import { beginReload, beginRestart, finishReload } from "./reload.ts";
import { describeBindError, StartError } from "./start-error.ts";
import { alive, type Cluster, type ClusterEvent, type Worker } from "./state.ts";

export interface PrimaryOptions {
  /** The module that workers run: the service's own main. */
  main: string;
  settings: ClusterSettings;
  log: Logger;
  /** Reads cluster.config.ts as it is now. */
  loadOptions(): Promise<ClusterOptions>;
}

const SIGNALS = [
  "SIGTERM",
  "SIGINT",
  "SIGQUIT",
  "SIGHUP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGUSR2",
] as const;

/**
 * Gunicorn's arbiter: keeps the wanted number of workers running until a signal ends it.
 * @returns the exit code.
 * @throws {StartError} when the configuration contradicts itself or a port is taken.
 */
export async function runPrimary(options: PrimaryOptions): Promise<number> {
  const { settings, log } = options;
  const { plan, problems } = await makePlan(await options.loadOptions(), settings);
  if (problems.length > 0) throw new StartError(problems);
  process.title = `primary: ${plan.processTitle}`;

  const cluster = createCluster(options, plan, bind(plan.bind, settings.PORT));
  const hub = createHub(cluster);
  await listen(hub, plan.bind, settings.METRICS_PORT);
  if (plan.pidfile) claimPidfile(plan.pidfile);
  await plan.hooks.onStarting?.();

  const wasTerminal = isatty(0);
  for (const signal of SIGNALS)
    process.on(signal, () => cluster.inbox.put({ type: "signal", signal }));
  // Started by a watcher or a test: when that is gone, nobody is left to stop this process.
  process.once("disconnect", () => cluster.inbox.put({ type: "signal", signal: "SIGTERM" }));
  log.info(
    { workers: plan.workers, port: settings.PORT, metrics_port: settings.METRICS_PORT },
    "starting",
  );
  cluster.inbox.put({ type: "wake" });

  await converge(cluster, async (signal) => {
    // A terminal that was closed sends HUP too, and then there is nothing to reload for.
    if (signal === "SIGHUP" && !(wasTerminal && !isatty(0))) await reload(cluster, options);
    else obey(cluster, signal === "SIGHUP" ? "SIGINT" : signal);
  });

  hub.close();
  hub.closeAllConnections();
  if (plan.pidfile) removePidfile(plan.pidfile);
  await callHook(cluster, "onExit");
  log.info({ exit_code: cluster.exitCode }, "stopped");
  return cluster.exitCode;
}

function createCluster(
  { main, log }: PrimaryOptions,
  plan: ClusterPlan,
  socket: BoundSocket,
): Cluster {
  return {
    main,
    log,
    inbox: createInbox<ClusterEvent>(),
    metrics: createPrimaryMetrics(),
    history: createMetricsHistory(),
    backoff: createBackoff(),
    workers: new Set<Worker>(),
    socket,
    plan,
    desired: plan.workers,
    spawnAfter: 0,
    started: false,
    reload: undefined,
    stopping: undefined,
    exitCode: 0,
  };
}

/** The one loop: takes an event, brings the books up to date, and moves the workers towards what is wanted. */
async function converge(
  cluster: Cluster,
  obeySignal: (signal: NodeJS.Signals) => Promise<void>,
): Promise<void> {
  while (!cluster.stopping || cluster.workers.size > 0) {
    const wait = waitFor(cluster);
    const before = performance.now();
    const event = await cluster.inbox.take(wait);
    forgiveOwnSleep(cluster, performance.now() - before - wait);
    if (event?.type === "signal") await obeySignal(event.signal);
    if (event?.type === "exit") await reap(cluster, event.worker, event.code, event.signal);
    if (event?.type === "message") hear(cluster, event.worker, event.message);
    murder(cluster);
    await manage(cluster);
    finishReload(cluster);
    await announce(cluster);
  }
}

/** Milliseconds until the deadlines must be looked at again. */
function waitFor({ plan, stopping }: Cluster): number {
  if (stopping) return 100;
  return plan.timeout > 0 ? Math.min(1_000, plan.timeout * 250) : 1_000;
}

/** A process that was stopped itself (SIGSTOP, a debugger, a frozen container) must not blame its workers. */
function forgiveOwnSleep(cluster: Cluster, overslept: number): void {
  if (overslept < 2_000) return;
  for (const worker of cluster.workers) worker.lastBeatAt += overslept;
}

function hear({ log }: Cluster, worker: Worker, message: ToPrimary): void {
  worker.lastBeatAt = performance.now();
  if (message.type === "ready" && worker.phase === "booting") {
    worker.phase = "ready";
    worker.wasReady = true;
    worker.killAt = Infinity;
    log.info({ worker: worker.slot, worker_pid: worker.child.pid }, "worker ready");
  } else if (message.type === "beat") {
    worker.beat = message;
    worker.snapshot = message.metrics ?? worker.snapshot;
  } else if (message.type === "retire") {
    worker.outdated ??= message.reason;
    log.info({ worker: worker.slot, reason: message.reason }, "worker is to be replaced");
  }
}

function obey(cluster: Cluster, signal: NodeJS.Signals): void {
  cluster.log.info({ signal }, "signal received");
  if (["SIGTERM", "SIGINT", "SIGQUIT"].includes(signal)) {
    halt(cluster, nextStopMode(cluster.stopping, signal));
  } else if (cluster.stopping) return;
  else if (signal === "SIGTTIN") cluster.desired += 1;
  else if (signal === "SIGTTOU") cluster.desired = Math.max(1, cluster.desired - 1);
  else if (signal === "SIGUSR2") beginRestart(cluster);
}

/** HUP reads the configuration anew; one that cannot be used changes nothing. */
async function reload(cluster: Cluster, options: PrimaryOptions): Promise<void> {
  cluster.log.info({ signal: "SIGHUP" }, "signal received");
  if (cluster.stopping) return;
  try {
    const { plan, problems } = await makePlan(await options.loadOptions(), options.settings);
    if (problems.length > 0) throw new StartError(problems);
    cluster.plan = plan;
    cluster.desired = plan.workers;
  } catch (error) {
    cluster.metrics.reloads.inc({ result: "failed" });
    cluster.log.error(
      { error },
      "reload abandoned: cluster.config cannot be used; nothing has changed",
    );
    return;
  }
  await callHook(cluster, "onReload");
  beginReload(cluster);
}

async function announce(cluster: Cluster): Promise<void> {
  if (cluster.started || cluster.stopping) return;
  if (alive(cluster).filter(({ wasReady }) => wasReady).length < cluster.desired) return;
  cluster.started = true;
  cluster.log.info({ workers: cluster.desired }, "service ready");
  await callHook(cluster, "whenReady");
}

function bind(host: string, port: number): BoundSocket {
  try {
    return new BoundSocket({ host, port });
  } catch (error) {
    throw new StartError([describeBindError("PORT", port, error)]);
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new StartError([describeBindError("METRICS_PORT", port, error)]);
  }
}

function claimPidfile(path: string): void {
  try {
    writePidfile(path);
  } catch (error) {
    throw new StartError([(error as Error).message]);
  }
}
