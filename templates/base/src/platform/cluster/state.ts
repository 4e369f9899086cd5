import type { ChildProcess } from "node:child_process";
import type { BoundSocket } from "node:net";
import type { Health } from "../health.ts";
import type { Logger } from "../logging.ts";
import type { StandardSettings } from "../settings.ts";
import type { ClusterHooks, ClusterOptions, ClusterPlan } from "./config.ts";
import { BEAT_INTERVAL, type Beat, type DrainMode, type Role } from "./protocol.ts";

/** The workers of one role. Crashes in one pool delay no replacement in the other. */
export interface Pool {
  readonly role: Role;
  /** How many there should be; TTIN and TTOU change it for web. */
  desired: number;
  failures: number;
  spawnAfter: number;
}

/** One worker process. Times are milliseconds of performance.now(). */
export interface Worker {
  /** 1 to n, the lowest number that was free: in titles, log lines and metric labels. */
  readonly slot: number;
  readonly pool: Pool;
  readonly child: ChildProcess;
  /** Where its inspector listens after SIGUSR1. */
  readonly inspectPort: number;
  readonly bornAt: number;
  /** killed: SIGKILL is on its way. */
  phase: "booting" | "ready" | "draining" | "killed";
  wasReady: boolean;
  lastBeatAt: number;
  beat?: Beat;
  snapshot?: object[];
  outdated?: string;
  /** When it drains even if its replacement is not ready. */
  drainAt: number;
  killAt: number;
  killReason?: string;
}

export type StopMode = "stop" | "quick" | "kill";

export interface Reload {
  /** HUP: a whole new set is ready before the first old worker drains. USR2: one after the other. */
  wholeSet: boolean;
  startedAt: number;
  /** Restored when a HUP fails. */
  before: { plan: ClusterPlan; workers: number } | undefined;
}

export interface PrimaryOptions {
  /** The module that workers run: the service's own main. */
  main: string;
  /** Whether there is background work: it gets a process of its own. */
  background: boolean;
  settings: StandardSettings;
  log: Logger;
  options: ClusterOptions;
  loadOptions(): Promise<ClusterOptions>;
}

export type Cluster = ReturnType<typeof createCluster>;

/** Everything the primary knows. Web workers inherit its `socket`, as in Gunicorn: it outlives any of them. */
export function createCluster(options: PrimaryOptions, plan: ClusterPlan, socket: BoundSocket) {
  const web: Pool = { role: "web", desired: plan.workers, failures: 0, spawnAfter: 0 };
  return {
    ...options,
    plan,
    socket,
    events: new EventQueue(),
    pools: { web, background: { ...web, role: "background", desired: plan.background } as Pool },
    workers: new Set<Worker>(),
    /** The first set of workers has been ready. */
    started: false,
    reload: undefined as Reload | undefined,
    stopping: undefined as StopMode | undefined,
    exitCode: 0,
    // For /metrics; the totals of workers that have exited are in the form of a worker's snapshot.
    restarts: new Map<string, number>(),
    reloads: new Map<"ok" | "failed", number>(),
    hangs: 0,
    exitedMetrics: [] as object[],
  };
}

type ClusterEvent = () => void | Promise<void>;

/** Event handlers only add events; one loop runs them, so that no two overlap. */
export class EventQueue {
  #events: ClusterEvent[] = [];
  #wake = (): void => {};

  add(event: ClusterEvent = () => {}): void {
    this.#events.push(event);
    this.#wake();
  }

  /** All events since the last call, in order; none when none came for `waitMs`. */
  async take(waitMs: number): Promise<ClusterEvent[]> {
    if (this.#events.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
    }
    return this.#events.splice(0);
  }
}

export function increment<Key>(totals: Map<Key, number>, key: Key): void {
  totals.set(key, (totals.get(key) ?? 0) + 1);
}

/** Asks a worker to exit, and sets the time of the SIGKILL. */
export function drain(worker: Worker, mode: DrainMode, patienceSeconds: number): void {
  if (worker.phase === "killed") return;
  worker.phase = "draining";
  worker.killAt = Math.min(worker.killAt, performance.now() + patienceSeconds * 1_000);
  // Without a channel it is exiting already.
  if (worker.child.connected) worker.child.send({ type: "drain", mode }, () => {});
}

/** Ends a worker at once. @param reason for the log and the metrics. */
export function kill(worker: Worker, reason: string): void {
  worker.phase = "killed";
  worker.killReason ??= reason;
  worker.child.kill("SIGKILL");
}

/** The workers that serve, or soon will. */
export function alive({ workers }: Cluster, only?: Pool): Worker[] {
  const candidates = [...workers].filter(({ pool }) => only === undefined || pool === only);
  return candidates.filter(({ phase }) => phase === "booting" || phase === "ready");
}

export function ready(cluster: Cluster, only?: Pool): Worker[] {
  return alive(cluster, only).filter(({ phase }) => phase === "ready");
}

/** Those that serve and stay. */
export function upToDate(cluster: Cluster, pool: Pool): Worker[] {
  return ready(cluster, pool).filter(({ outdated }) => !outdated);
}

/** Runs a hook of cluster.config.ts. An exception is logged: a hook must not stop the service. */
export async function callHook<Name extends keyof ClusterHooks>(
  { plan, log }: Cluster,
  name: Name,
  ...args: Parameters<NonNullable<ClusterHooks[Name]>>
): Promise<void> {
  const hook = plan.hooks[name] as ((...given: unknown[]) => unknown) | undefined;
  try {
    await hook?.(...args);
  } catch (error) {
    log.error({ error, hook: name }, `the hook ${name} failed`);
  }
}

/** A worker that missed this many beats no longer counts for readiness. */
const MISSED_BEATS = 5;

export function heard(cluster: Cluster): Worker[] {
  const oldest = performance.now() - MISSED_BEATS * BEAT_INTERVAL * 1_000;
  return alive(cluster).filter(({ lastBeatAt }) => lastBeatAt > oldest);
}

/** The state of each dependency: healthy when one worker says so. */
export function dependencyChecks(cluster: Cluster): Record<string, Health> {
  const checks: Record<string, Health> = {};
  for (const { beat } of heard(cluster)) {
    for (const [name, state] of Object.entries(beat?.readiness.checks ?? {})) {
      if (checks[name] !== "healthy") checks[name] = state;
    }
  }
  return checks;
}
