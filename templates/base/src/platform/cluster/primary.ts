import { once } from "node:events";
import type { Server } from "node:http";
import type { BoundSocket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { isatty } from "node:tty";
import type { Logger } from "../logging.ts";
import type { ClusterOptions } from "./config.ts";
import { converge } from "./converge.ts";
import { createCounts } from "./counts.ts";
import { exitOnFatal } from "./fatal.ts";
import { callHook } from "./hooks.ts";
import { createInbox } from "./inbox.ts";
import { bind, bindForWorkers } from "./listen-socket.ts";
import { obey, SIGNALS } from "./obey.ts";
import { removePidfile, writePidfile } from "./pidfile.ts";
import { type ClusterPlan, type ClusterSettings, makePlan } from "./plan.ts";
import { createPools } from "./pool.ts";
import { StartError } from "./start-error.ts";
import type { Cluster, ClusterEvent, Worker } from "./state.ts";

export interface PrimaryOptions {
  /** The module that workers run: the service's own main. */
  main: string;
  /** Whether there is work beside the requests: it gets a process of its own. */
  background: boolean;
  settings: ClusterSettings;
  log: Logger;
  /** What cluster.config.ts says at the start. */
  options: ClusterOptions;
  /** Reads it anew, as it is now. */
  loadOptions(): Promise<ClusterOptions>;
}

const PARENT_CHECK_MS = 500;

/**
 * Gunicorn's arbiter: keeps the wanted number of workers running until a signal ends it.
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

  const cluster = createCluster(options, plan, bindForWorkers(plan.bind, settings.PORT));
  const hubSocket = bind(plan.bind, settings.METRICS_PORT, "METRICS_PORT");
  if (plan.pidfile) claimPidfile(plan.pidfile);
  await plan.hooks.onStarting?.();

  exitOnFatal(log, () => undefined);
  enqueueSignals(cluster);
  log.info(
    { workers: plan.workers, port: settings.PORT, metrics_port: settings.METRICS_PORT },
    "starting",
  );
  cluster.inbox.put({ type: "wake" });
  const opening = openHub(cluster, hubSocket);
  await converge(cluster, (signal) =>
    obey(cluster, signal, async () => planFor(await options.loadOptions())),
  );

  const hub = await opening;
  hub.close();
  hub.closeAllConnections();
  if (plan.pidfile) removePidfile(plan.pidfile);
  await callHook(cluster, "onExit");
  log.info({ exit_code: cluster.exitCode }, "stopped");
  return cluster.exitCode;
}

function enqueueSignals({ inbox }: Cluster): void {
  const wasTerminal = isatty(0);
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      // A terminal that is closed sends HUP too, and then there is nothing to reload for.
      const hungUp = signal === "SIGHUP" && wasTerminal && !isatty(0);
      inbox.put({ type: "signal", signal: hungUp ? "SIGINT" : signal });
    });
  }
  const stop = (): void => inbox.put({ type: "signal", signal: "SIGTERM" });
  // Started by a watcher or a test: when that is gone, nobody is left to stop this process.
  process.once("disconnect", stop);
  if (process.env["npm_lifecycle_event"]) stopWithParent(stop);
}

/** Between npm and this process stands a shell, and TERM to npm ends the shell only. */
function stopWithParent(stop: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, PARENT_CHECK_MS);
}

function createCluster(
  { main, log, settings }: PrimaryOptions,
  plan: ClusterPlan,
  socket: BoundSocket,
): Cluster {
  return {
    main,
    version: settings.VERSION,
    log,
    inbox: createInbox<ClusterEvent>(),
    counts: createCounts(),
    history: [],
    pools: createPools({ web: plan.workers, background: plan.background }),
    workers: new Set<Worker>(),
    socket,
    plan,
    started: false,
    reload: undefined,
    stopping: undefined,
    exitCode: 0,
  };
}

/** Opens the metrics port. The workers are forked before: what this loads would hold them up. */
async function openHub(cluster: Cluster, socket: BoundSocket): Promise<Server> {
  await setImmediate();
  const { createHub } = await import("./hub.ts");
  const hub = createHub(cluster);
  hub.listen(socket);
  await once(hub, "listening");
  return hub;
}

function claimPidfile(path: string): void {
  try {
    writePidfile(path);
  } catch (error) {
    throw new StartError([(error as Error).message]);
  }
}
