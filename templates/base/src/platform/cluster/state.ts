import type { ChildProcess } from "node:child_process";
import type { BoundSocket } from "node:net";
import type { Logger } from "../logging.ts";
import type { ClusterHooks, ClusterPlan } from "./config.ts";
import type { Beat, DrainMode, Role } from "./protocol.ts";

/** The workers of one role. A failure in one pool delays no replacement in the other. */
export interface Pool {
  readonly role: Role;
  /** How many there should be; TTIN and TTOU change it for web. */
  desired: number;
  /** Crashes in a row, for the back-off. */
  failures: number;
  /** No worker is spawned before. */
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
  beat: Beat | undefined;
  snapshot: object[] | undefined;
  /** Why it is to be replaced; undefined while it is not. */
  outdated: string | undefined;
  /** When it stops accepting even if its replacement is not ready. */
  drainAt: number;
  /** Time of the SIGKILL. */
  killAt: number;
  /** Why it was killed, for the log and the metrics. */
  killReason: string | undefined;
}

export type StopMode = "stop" | "quick" | "kill";

/** A rolling reload in progress. */
export interface Reload {
  /** HUP: a whole new set is ready before the first old worker drains. USR2: one after the other. */
  wholeSet: boolean;
  startedAt: number;
  /** To go back to when it fails; undefined while the plan is the same. */
  before: { plan: ClusterPlan; workers: number } | undefined;
}

/** Everything the primary knows. Its functions (spawn, reap, manage, halt, …) work on it. */
export interface Cluster {
  /** The module that workers run: the service's own main. */
  readonly main: string;
  /** Of the service, for /health. */
  readonly version: string;
  readonly log: Logger;
  readonly events: EventQueue;
  /** Totals for /metrics: workers that were replaced and reloads by result. */
  readonly restarts: Map<string, number>;
  readonly reloads: Map<"ok" | "failed", number>;
  hangs: number;
  /** The counters and histograms of workers that have exited, in the form of a worker's snapshot. */
  exitedMetrics: object[];
  readonly pools: Record<Role, Pool>;
  readonly workers: Set<Worker>;
  /** Bound here and inherited by every web worker, as in Gunicorn: it outlives any of them. */
  readonly socket: BoundSocket;
  plan: ClusterPlan;
  /** The first set of workers has been ready. */
  started: boolean;
  reload: Reload | undefined;
  stopping: StopMode | undefined;
  exitCode: number;
}

/** Event handlers add what is to be done; one loop does it, so that no two steps overlap. */
export class EventQueue {
  #events: (() => void | Promise<void>)[] = [];
  #wake = (): void => {};

  add(event: () => void | Promise<void> = () => {}): void {
    this.#events.push(event);
    this.#wake();
  }

  /** Everything that came in, in order; empty when nothing did for `waitMs`. */
  async take(waitMs: number): Promise<(() => void | Promise<void>)[]> {
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
  // Without a channel it is exiting by itself.
  if (worker.child.connected) worker.child.send({ type: "drain", mode }, () => {});
}

/** Ends a worker at once, whatever it is doing. */
export function kill(worker: Worker, reason: string): void {
  worker.phase = "killed";
  worker.killReason ??= reason;
  worker.child.kill("SIGKILL");
}

/** The workers that are capacity, now or soon; of one pool, or of all. */
export function alive({ workers }: Cluster, only?: Pool): Worker[] {
  return [...workers].filter(
    ({ phase, pool }) =>
      (phase === "booting" || phase === "ready") && (only === undefined || pool === only),
  );
}

/** Those of them that have been ready and stay. */
export function upToDate(cluster: Cluster, pool: Pool): Worker[] {
  return alive(cluster, pool).filter(
    ({ outdated, wasReady }) => outdated === undefined && wasReady,
  );
}

/** Runs a hook of cluster.config.ts and waits for it. An exception is logged: a hook must not stop the service. */
export async function callHook<Name extends keyof ClusterHooks>(
  { plan, log }: Pick<Cluster, "plan" | "log">,
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
