import { isatty } from "node:tty";
import { findContradictions, keepAliveFor } from "./budgets.ts";
import { heapFor, heapSetByHand, measureCapacity, workersFor } from "./capacity.ts";
import { type ClusterOptions, readConfig } from "./config.ts";
import { canInherit } from "./listen-socket.ts";

/** The settings that the process manager goes by; the service's own settings have them all. */
export interface ClusterSettings {
  ENVIRONMENT: string;
  SERVICE_NAME: string;
  VERSION: string;
  LOG_LEVEL: string;
  PORT: number;
  METRICS_PORT: number;
  LOAD_BALANCER_IDLE_TIMEOUT: number;
  STOP_TIMEOUT: number;
}

/** cluster.config.ts with everything decided: no "auto" is left. Times in seconds, memory in MiB. */
export interface ClusterPlan extends ClusterOptions {
  workers: number;
  /** Processes for background work: 0 or 1. */
  background: number;
  keepAlive: number;
  /** 0: no limit. */
  workerMemoryLimit: number;
  /** Old-space limit to set per worker; undefined: leave it to V8, or to whoever set it by hand. */
  heap: number | undefined;
}

interface Surroundings {
  /** Whether there is work beside the requests. */
  background?: boolean;
  env?: NodeJS.ProcessEnv;
}

const RSS_SHARE = 0.85;

/**
 * Decides how many workers run, with which limits.
 * @returns the plan, and one line per bad value or contradiction (then the plan must not be used).
 */
export async function makePlan(
  options: ClusterOptions,
  settings: ClusterSettings,
  { background = false, env = process.env }: Surroundings = {},
): Promise<{ plan: ClusterPlan; problems: string[] }> {
  const { config, problems } = readConfig(options, env);
  const { cpus, memory } = await measureCapacity(env);
  const wanted = config.workers === "auto" ? workersFor(cpus) : config.workers;
  const workers = canInherit ? wanted : 1;
  const processes = workers + Number(background);
  const flags = [...(env["NODE_OPTIONS"] ?? "").split(/\s+/), ...process.execArgv];
  const byHand = heapSetByHand(flags, memory);
  const share = memory === undefined ? 0 : Math.floor((RSS_SHARE * memory) / processes);
  const plan: ClusterPlan = {
    ...config,
    workers,
    background: Number(background),
    keepAlive: keepAliveFor(config, settings.LOAD_BALANCER_IDLE_TIMEOUT),
    workerMemoryLimit: config.workerMemoryLimit === "auto" ? share : config.workerMemoryLimit,
    heap: byHand === undefined ? heapFor(memory, processes) : undefined,
    processTitle: config.processTitle || settings.SERVICE_NAME,
  };
  // A person who presses Ctrl-C waits for nobody's load balancer.
  if (!env["DEREGISTRATION_DELAY"] && (settings.ENVIRONMENT === "dev" || isatty(1))) {
    plan.deregistrationDelay = 0;
  }
  if (problems.length > 0) return { plan, problems };
  const contradictions = findContradictions({
    stopTimeout: settings.STOP_TIMEOUT,
    loadBalancerIdleTimeout: settings.LOAD_BALANCER_IDLE_TIMEOUT,
    deregistrationDelay: plan.deregistrationDelay,
    gracefulTimeout: plan.gracefulTimeout,
    keepAlive: plan.keepAlive,
    processes,
    heap: byHand ?? plan.heap,
    memory,
  });
  return { plan, problems: contradictions };
}
