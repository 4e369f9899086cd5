import { isIP } from "node:net";

/** What the hooks are told about the worker that they are called for. */
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
  /** Before anything else; what it throws stops the start. */
  onStarting?: Hook<[]>;
  /** All workers are ready for the first time. */
  whenReady?: Hook<[]>;
  /** Before a worker is forked. */
  preFork?: Hook<[WorkerInfo]>;
  /** In the worker, before the service is loaded; what it throws fails the worker's start. */
  postFork?: Hook<[WorkerInfo]>;
  /** A worker is gone, whatever the cause. */
  workerExit?: Hook<[WorkerExit]>;
  /** HUP came in and the new configuration is good. */
  onReload?: Hook<[]>;
  /** All workers are gone; the last thing before the primary exits. */
  onExit?: Hook<[]>;
}

/** The fields of cluster.config.ts, where each is explained. Times in seconds, memory in MiB. */
export interface ClusterOptions {
  workers: number | "auto";
  bind: string;
  backlog: number;
  timeout: number;
  bootTimeout: number;
  gracefulTimeout: number;
  deregistrationDelay: number;
  keepAlive: number | "auto";
  maxRequests: number;
  maxRequestsJitter: number;
  workerMemoryLimit: number | "auto";
  pidfile: string;
  processTitle: string;
  hooks: ClusterHooks;
}

/** Gives cluster.config.ts its types. */
export function defineCluster(options: ClusterOptions): ClusterOptions {
  return options;
}

interface NumberRule {
  env: string;
  min: number;
  max: number;
  integer?: true;
  auto?: true;
}

const DAY = 86_400;
const NUMBERS = {
  workers: { env: "WEB_CONCURRENCY", min: 1, max: 512, integer: true, auto: true },
  backlog: { env: "BACKLOG", min: 1, max: 65_535, integer: true },
  timeout: { env: "TIMEOUT", min: 0, max: DAY },
  bootTimeout: { env: "BOOT_TIMEOUT", min: 1, max: DAY },
  gracefulTimeout: { env: "GRACEFUL_TIMEOUT", min: 0, max: DAY },
  deregistrationDelay: { env: "DEREGISTRATION_DELAY", min: 0, max: DAY },
  keepAlive: { env: "KEEP_ALIVE", min: 0, max: DAY, auto: true },
  maxRequests: { env: "MAX_REQUESTS", min: 0, max: 1e9, integer: true },
  maxRequestsJitter: { env: "MAX_REQUESTS_JITTER", min: 0, max: 1e9, integer: true },
  workerMemoryLimit: { env: "WORKER_MEMORY_LIMIT", min: 0, max: 1e6, integer: true, auto: true },
} satisfies Partial<Record<keyof ClusterOptions, NumberRule>>;

const TEXTS = { bind: "BIND", pidfile: "PIDFILE", processTitle: "PROCESS_TITLE" } as const;

/** The environment variables that override cluster.config.ts, by field. */
export const CLUSTER_VARIABLES: Record<string, string> = {
  ...Object.fromEntries(Object.entries(NUMBERS).map(([field, rule]) => [field, rule.env])),
  ...TEXTS,
};

/**
 * Lays the environment over `options` and checks the outcome. An empty variable counts as not set.
 * @returns the configuration and one line per value that cannot be used (then it must not be used).
 */
export function readConfig(
  options: ClusterOptions,
  env: NodeJS.ProcessEnv,
): { config: ClusterOptions; problems: string[] } {
  const config: ClusterOptions = { ...options };
  const problems: string[] = [];
  for (const field of Object.keys(TEXTS) as (keyof typeof TEXTS)[]) {
    config[field] = env[TEXTS[field]] || options[field];
  }
  for (const field of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const rule: NumberRule = NUMBERS[field];
    const given = env[rule.env] || options[field];
    if (rule.auto && given === "auto") Object.assign(config, { [field]: given });
    else if (isWithin(given, rule)) Object.assign(config, { [field]: Number(given) });
    else problems.push(`${rule.env} (${field}): ${describe(rule)}, got ${JSON.stringify(given)}`);
  }
  if (isIP(config.bind) === 0) {
    problems.push(`BIND (bind): must be an IP address, got ${JSON.stringify(config.bind)}`);
  }
  return { config, problems };
}

function isWithin(given: unknown, { min, max, integer }: NumberRule): boolean {
  if (typeof given !== "number" && (typeof given !== "string" || given.trim() === "")) return false;
  const value = Number(given);
  return value >= min && value <= max && (integer === undefined || Number.isInteger(value));
}

function describe({ min, max, integer, auto }: NumberRule): string {
  const kind = integer ? "a whole number" : "a number of seconds";
  return `must be ${auto ? '"auto" or ' : ""}${kind} from ${min} to ${max}`;
}
