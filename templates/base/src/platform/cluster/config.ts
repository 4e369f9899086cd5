import { isIP } from "node:net";
import { isatty } from "node:tty";
import { z } from "zod";
import { SettingsError, type StandardSettings } from "../settings.ts";
import { canInherit, heapFor, heapSetByHand, measureCapacity, workersFor } from "./host.ts";

/** What a hook is told about its worker: its number, 1 to n, and its process. */
export interface WorkerInfo {
  worker: number;
  pid: number | undefined;
}

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
  preFork?: Hook<[WorkerInfo]>;
  /** In the worker, before the service is loaded; an exception fails the worker's start. */
  postFork?: Hook<[WorkerInfo]>;
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
/** Idle connections outlive the load balancer's by so many seconds, so that it never reuses a closing one. */
const KEEP_ALIVE_MARGIN = 5;
const RSS_SHARE = 0.85;
const DAY = 86_400;

// The file has numbers, the environment has digits.
const digits = z.string().regex(/^\d+(\.\d+)?$/);
const numeric = z.union([z.number(), digits.transform(Number)]);

function whole(min: number, max: number) {
  const description = `a whole number from ${min} to ${max}`;
  return numeric.pipe(z.int().min(min).max(max)).describe(description);
}

function seconds(min = 0) {
  const description = `a number of seconds from ${min} to ${DAY}`;
  return numeric.pipe(z.number().min(min).max(DAY)).describe(description);
}

function orAuto<Schema extends z.ZodType>(schema: Schema) {
  return z.literal("auto").or(schema).describe(`"auto" or ${schema.description}`);
}

/** For a field that the files of older templates lack. */
function orElse<Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>) {
  return schema.default(value as never).describe(schema.description ?? "");
}

const address = z.string().refine(isIP).describe("an IP address");

// The description is the message for every invalid value.
const fields = z.object({
  workers: orAuto(whole(1, 512)),
  backlog: whole(1, 65_535),
  timeout: seconds(),
  bootTimeout: seconds(1),
  gracefulTimeout: seconds(),
  deregistrationDelay: seconds(),
  keepAlive: orAuto(seconds()),
  headersTimeout: orElse(seconds(), 30),
  requestTimeout: orElse(seconds(), 300),
  stallTimeout: orElse(seconds(), 30),
  maxConnections: orElse(whole(1, 1e6), 4_096),
  maxRequests: whole(0, 1e9),
  maxRequestsJitter: whole(0, 1e9),
  workerMemoryLimit: orAuto(whole(0, 1e6)),
  bind: address,
  metricsBind: orElse(address.or(z.literal("")).describe("an IP address"), ""),
  pidfile: z.string().describe("a path"),
  processTitle: z.string().describe("a text"),
});

/** The environment variable that overrides a field of cluster.config.ts: BOOT_TIMEOUT for `bootTimeout`. */
export function variableOf(field: string): string {
  if (field === "workers") return "WEB_CONCURRENCY";
  return field.replaceAll(/[A-Z]/g, "_$&").toUpperCase();
}

/** The fields of cluster.config.ts, where each is explained. Times in seconds, memory in MiB. */
export type ClusterOptions = z.input<typeof fields> & { hooks: ClusterHooks };

type ClusterConfig = z.output<typeof fields> & { hooks: ClusterHooks };

/** Gives cluster.config.ts its types. */
export function defineCluster(options: ClusterOptions): ClusterOptions {
  return options;
}

/** Overrides `options` with the environment. Returns one line per invalid value; then they must not be used. */
export function readConfig(
  options: ClusterOptions,
  env: NodeJS.ProcessEnv,
): { config: ClusterConfig; problems: string[] } {
  const given: Record<string, unknown> = { ...options };
  for (const field of Object.keys(fields.shape)) {
    given[field] = env[variableOf(field)] || given[field];
  }
  const { data, error } = fields.safeParse(given);
  const invalid = new Set(error?.issues.map(({ path }) => path[0] as keyof typeof fields.shape));
  const problems = [...invalid].map((field) => {
    const { description } = fields.shape[field];
    const value = JSON.stringify(given[field]);
    return `${variableOf(field)} (${field}): must be ${description}, got ${value}`;
  });
  return { config: { ...options, ...data } as ClusterConfig, problems };
}

/** cluster.config.ts with every "auto" decided. Times in seconds, memory in MiB. */
export interface ClusterPlan extends ClusterConfig {
  workers: number;
  /** Processes for background work: 0 or 1. */
  background: number;
  keepAlive: number;
  /** 0: no limit. */
  workerMemoryLimit: number;
  /** Old-space limit per process; undefined: V8's own. */
  heap: number | undefined;
}

/**
 * Decides how many workers run, with which limits.
 * @throws {SettingsError} with one line per invalid value, or per contradiction.
 */
export async function makePlan(
  options: ClusterOptions,
  settings: StandardSettings,
  { background = false, env = process.env },
): Promise<ClusterPlan> {
  const { config, problems } = readConfig(options, env);
  const { cpus, memory } = await measureCapacity(env);
  const wanted = config.workers === "auto" ? workersFor(cpus) : config.workers;
  const workers = canInherit ? wanted : 1;
  const processes = workers + Number(background);
  const flags = [...(env["NODE_OPTIONS"] ?? "").split(/\s+/), ...process.execArgv];
  const share = memory === undefined ? 0 : Math.floor((RSS_SHARE * memory) / processes);
  const keepAlive = settings.LOAD_BALANCER_IDLE_TIMEOUT + KEEP_ALIVE_MARGIN;
  // A person who presses Ctrl-C does not wait for a load balancer.
  const isInteractive = settings.ENVIRONMENT === "dev" || isatty(1);
  const skipsDelay = isInteractive && !env["DEREGISTRATION_DELAY"];
  const plan: ClusterPlan = {
    ...config,
    workers,
    background: Number(background),
    keepAlive: config.keepAlive === "auto" ? keepAlive : config.keepAlive,
    deregistrationDelay: skipsDelay ? 0 : config.deregistrationDelay,
    workerMemoryLimit: config.workerMemoryLimit === "auto" ? share : config.workerMemoryLimit,
    heap: heapSetByHand(flags, memory) ?? heapFor(memory, processes),
    metricsBind: config.metricsBind || config.bind,
    processTitle: config.processTitle || settings.SERVICE_NAME,
  };
  if (problems.length === 0) problems.push(...findContradictions(plan, settings, memory));
  if (problems.length > 0) throw new SettingsError(problems);
  return plan;
}

/** One line for each pair of numbers that contradict each other, naming both. */
export function findContradictions(
  plan: ClusterPlan,
  { STOP_TIMEOUT, LOAD_BALANCER_IDLE_TIMEOUT }: StandardSettings,
  memory: number | undefined,
): string[] {
  const { deregistrationDelay, gracefulTimeout, keepAlive, workers, background, heap } = plan;
  const stop = deregistrationDelay + gracefulTimeout + CLOSE_TIMEOUT;
  const processes = workers + background;
  const problems = [
    stop > STOP_TIMEOUT &&
      `STOP_TIMEOUT: the service is killed after ${STOP_TIMEOUT} s, but a graceful stop takes up to ${stop} s ` +
        `(deregistrationDelay ${deregistrationDelay} + gracefulTimeout ${gracefulTimeout} + ${CLOSE_TIMEOUT} to close)`,
    keepAlive <= LOAD_BALANCER_IDLE_TIMEOUT &&
      `KEEP_ALIVE: ${keepAlive} s must be above the load balancer's idle time-out of ` +
        `${LOAD_BALANCER_IDLE_TIMEOUT} s (LOAD_BALANCER_IDLE_TIMEOUT), or it reuses connections that are closing`,
    heap !== undefined &&
      memory !== undefined &&
      heap * processes > memory &&
      `WEB_CONCURRENCY: ${processes} processes with a heap of ${Math.floor(heap)} MiB each need ` +
        `${Math.floor(heap * processes)} MiB, but the memory limit is ${Math.floor(memory)} MiB`,
  ];
  return problems.filter((problem) => problem !== false);
}
