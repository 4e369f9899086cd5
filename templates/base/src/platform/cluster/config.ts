import { isIP } from "node:net";
import { isatty } from "node:tty";
import { z } from "zod";
import type { StandardSettings } from "../settings.ts";
import { heapFor, heapSetByHand, measureCapacity, workersFor } from "./capacity.ts";
import { canInherit } from "./startup.ts";

/** What a hook is told about its worker. */
export interface WorkerInfo {
  /** 1 to n; a replacement takes the lowest free number. */
  worker: number;
  pid: number | undefined;
}

/** How a worker ended. */
export interface WorkerExit extends WorkerInfo {
  code: number | null;
  signal: NodeJS.Signals | null;
  reason: string;
}

type Hook<Arguments extends unknown[]> = (...args: Arguments) => void | Promise<void>;

/** Gunicorn's server hooks. All run in the primary, except `postFork`. A hook that throws is logged. */
export interface ClusterHooks {
  /** Before anything else; an exception stops the start. */
  onStarting?: Hook<[]>;
  /** All workers are ready for the first time. */
  whenReady?: Hook<[]>;
  /** Before a worker is forked. */
  preFork?: Hook<[WorkerInfo]>;
  /** In the worker, before the service is loaded; an exception fails the worker's start. */
  postFork?: Hook<[WorkerInfo]>;
  /** A worker has exited, for any reason. */
  workerExit?: Hook<[WorkerExit]>;
  /** After HUP, when the new configuration is valid. */
  onReload?: Hook<[]>;
  /** All workers have exited; the last step before the primary exits. */
  onExit?: Hook<[]>;
}

/** Seconds that requests in flight get in a quick stop; Gunicorn's limit after a second INT. */
export const QUICK_TIMEOUT = 2;
/** Seconds for closing the dependencies and flushing telemetry before the worker is killed. */
export const CLOSE_TIMEOUT = 5;
/** By how many seconds idle connections outlive the load balancer's, so that it never reuses a closing one. */
const KEEP_ALIVE_MARGIN = 5;
const RSS_SHARE = 0.85;
const DAY = 86_400;

// The file has numbers, the environment has digits.
const numeric = z.union([
  z.number(),
  z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number),
]);

function whole(min: number, max: number) {
  return numeric.pipe(z.int().min(min).max(max)).describe(`a whole number from ${min} to ${max}`);
}

function seconds(min = 0) {
  return numeric
    .pipe(z.number().min(min).max(DAY))
    .describe(`a number of seconds from ${min} to ${DAY}`);
}

function orAuto<Schema extends z.ZodType>(schema: Schema) {
  return z.union([z.literal("auto"), schema]).describe(`"auto" or ${schema.description}`);
}

// Each field's description is the message for any value that it rejects.
const schema = z.object({
  workers: orAuto(whole(1, 512)),
  backlog: whole(1, 65_535),
  timeout: seconds(),
  bootTimeout: seconds(1),
  gracefulTimeout: seconds(),
  deregistrationDelay: seconds(),
  keepAlive: orAuto(seconds()),
  maxRequests: whole(0, 1e9),
  maxRequestsJitter: whole(0, 1e9),
  workerMemoryLimit: orAuto(whole(0, 1e6)),
  bind: z.string().refine(isIP).describe("an IP address"),
  pidfile: z.string().describe("a path"),
  processTitle: z.string().describe("a text"),
  hooks: z.custom<ClusterHooks>(),
});

/** The environment variables that override cluster.config.ts, by field. */
export const CLUSTER_VARIABLES: Record<string, string> = {
  workers: "WEB_CONCURRENCY",
  backlog: "BACKLOG",
  timeout: "TIMEOUT",
  bootTimeout: "BOOT_TIMEOUT",
  gracefulTimeout: "GRACEFUL_TIMEOUT",
  deregistrationDelay: "DEREGISTRATION_DELAY",
  keepAlive: "KEEP_ALIVE",
  maxRequests: "MAX_REQUESTS",
  maxRequestsJitter: "MAX_REQUESTS_JITTER",
  workerMemoryLimit: "WORKER_MEMORY_LIMIT",
  bind: "BIND",
  pidfile: "PIDFILE",
  processTitle: "PROCESS_TITLE",
};

/** The fields of cluster.config.ts, where each is explained. Times in seconds, memory in MiB. */
export type ClusterOptions = z.output<typeof schema>;

/** Gives cluster.config.ts its types. */
export function defineCluster(options: ClusterOptions): ClusterOptions {
  return options;
}

/**
 * Overrides `options` with the environment and validates the result. An empty variable counts as not set.
 * @returns the configuration, and one line per invalid value (then the configuration must not be used).
 */
export function readConfig(
  options: ClusterOptions,
  env: NodeJS.ProcessEnv,
): { config: ClusterOptions; problems: string[] } {
  const given: Record<string, unknown> = { ...options };
  const variables = Object.entries(CLUSTER_VARIABLES);
  for (const [field, variable] of variables) given[field] = env[variable] || given[field];
  const { data, error } = schema.safeParse(given);
  const invalid = new Set(error?.issues.map(({ path }) => path[0]));
  const problems = variables
    .filter(([field]) => invalid.has(field))
    .map(([field, variable]) => {
      const { description } = schema.shape[field as keyof ClusterOptions];
      return `${variable} (${field}): must be ${description}, got ${JSON.stringify(given[field])}`;
    });
  return { config: data ?? options, problems };
}

/** cluster.config.ts with every "auto" decided. Times in seconds, memory in MiB. */
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

/** The settings that the process manager reads. */
export type ClusterSettings = Pick<
  StandardSettings,
  | "ENVIRONMENT"
  | "SERVICE_NAME"
  | "VERSION"
  | "PORT"
  | "METRICS_PORT"
  | "LOAD_BALANCER_IDLE_TIMEOUT"
  | "STOP_TIMEOUT"
>;

/**
 * Decides how many workers run, with which limits.
 * @param background whether a process for background work runs beside them.
 * @returns the plan, and one line per invalid value or contradiction (then the plan must not be used).
 */
export async function makePlan(
  options: ClusterOptions,
  settings: ClusterSettings,
  { background = false, env = process.env }: { background?: boolean; env?: NodeJS.ProcessEnv } = {},
): Promise<{ plan: ClusterPlan; problems: string[] }> {
  const { config, problems } = readConfig(options, env);
  const { cpus, memory } = await measureCapacity(env);
  const wanted = config.workers === "auto" ? workersFor(cpus) : config.workers;
  const workers = canInherit ? wanted : 1;
  const processes = workers + Number(background);
  const flags = [...(env["NODE_OPTIONS"] ?? "").split(/\s+/), ...process.execArgv];
  const heapByHand = heapSetByHand(flags, memory);
  const share = memory === undefined ? 0 : Math.floor((RSS_SHARE * memory) / processes);
  const keepAlive = settings.LOAD_BALANCER_IDLE_TIMEOUT + KEEP_ALIVE_MARGIN;
  // A person who presses Ctrl-C does not wait for a load balancer.
  const interactive = settings.ENVIRONMENT === "dev" || isatty(1);
  const skipsDelay = interactive && !env["DEREGISTRATION_DELAY"];
  const plan: ClusterPlan = {
    ...config,
    workers,
    background: Number(background),
    keepAlive: config.keepAlive === "auto" ? keepAlive : config.keepAlive,
    deregistrationDelay: skipsDelay ? 0 : config.deregistrationDelay,
    workerMemoryLimit: config.workerMemoryLimit === "auto" ? share : config.workerMemoryLimit,
    heap: heapByHand === undefined ? heapFor(memory, processes) : undefined,
    processTitle: config.processTitle || settings.SERVICE_NAME,
  };
  if (problems.length > 0) return { plan, problems };
  const heap = heapByHand ?? plan.heap;
  return { plan, problems: findContradictions({ ...settings, ...plan, processes, heap, memory }) };
}

/** The numbers that must fit together. Times in seconds, memory in MiB. */
export interface Budgets {
  STOP_TIMEOUT: number;
  LOAD_BALANCER_IDLE_TIMEOUT: number;
  deregistrationDelay: number;
  gracefulTimeout: number;
  keepAlive: number;
  processes: number;
  /** Of each process; undefined when V8 chooses. */
  heap: number | undefined;
  memory: number | undefined;
}

/** One line for each pair of numbers that contradict each other, naming both. */
export function findContradictions(budgets: Budgets): string[] {
  const { STOP_TIMEOUT, LOAD_BALANCER_IDLE_TIMEOUT, keepAlive, processes, heap, memory } = budgets;
  const { deregistrationDelay, gracefulTimeout } = budgets;
  const problems: string[] = [];
  const needed = deregistrationDelay + gracefulTimeout + CLOSE_TIMEOUT;
  if (needed > STOP_TIMEOUT) {
    problems.push(
      `STOP_TIMEOUT: the service is killed after ${STOP_TIMEOUT} s, but a graceful stop takes up to ${needed} s ` +
        `(deregistrationDelay ${deregistrationDelay} + gracefulTimeout ${gracefulTimeout} + ${CLOSE_TIMEOUT} to close)`,
    );
  }
  if (keepAlive <= LOAD_BALANCER_IDLE_TIMEOUT) {
    problems.push(
      `KEEP_ALIVE: ${keepAlive} s must be above the load balancer's idle time-out of ` +
        `${LOAD_BALANCER_IDLE_TIMEOUT} s (LOAD_BALANCER_IDLE_TIMEOUT), or it reuses connections that are closing`,
    );
  }
  if (heap !== undefined && memory !== undefined && heap * processes > memory) {
    problems.push(
      `WEB_CONCURRENCY: ${processes} processes with a heap of ${Math.floor(heap)} MiB each need ` +
        `${Math.floor(heap * processes)} MiB, but the memory limit is ${Math.floor(memory)} MiB`,
    );
  }
  return problems;
}
