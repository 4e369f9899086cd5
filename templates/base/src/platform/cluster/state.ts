import type { ChildProcess } from "node:child_process";
import type { BoundSocket } from "node:net";
import type { Logger } from "../logging.ts";
import type { Counts } from "./counts.ts";
import type { Inbox } from "./inbox.ts";
import type { Beat, DrainMode, ToPrimary } from "./messages.ts";
import type { Role } from "./orders.ts";
import type { ClusterPlan } from "./plan.ts";
import type { Pool } from "./pool.ts";

/** booting → ready → draining → gone; killed: SIGKILL is on its way. */
export type Phase = "booting" | "ready" | "draining" | "killed";

/** One worker process. Times are milliseconds of performance.now(). */
export interface Worker {
  /** 1 to n, the lowest number that was free: in titles, log lines and metric labels. */
  readonly slot: number;
  readonly pool: Pool;
  readonly child: ChildProcess;
  /** Where its inspector listens once SIGUSR1 wakes it. */
  readonly inspectPort: number;
  readonly bornAt: number;
  phase: Phase;
  wasReady: boolean;
  lastBeatAt: number;
  beat: Beat | undefined;
  snapshot: object[] | undefined;
  /** Why it is to be replaced; undefined while it is good. */
  outdated: string | undefined;
  /** When patience ends. */
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
  /** What was in force before, to go back to; undefined while the plan is the same. */
  before: { plan: ClusterPlan; workers: number } | undefined;
}

/** What the loop takes out of its inbox. */
export type ClusterEvent =
  | { type: "signal"; signal: NodeJS.Signals }
  | { type: "message"; worker: Worker; message: ToPrimary }
  | { type: "exit"; worker: Worker; code: number | null; signal: NodeJS.Signals | null }
  | { type: "wake" };

/** Everything the primary knows. The verbs beside this file (spawn, reap, murder, manage, halt) work on it. */
export interface Cluster {
  /** The module that workers run: the service's own main. */
  readonly main: string;
  /** Of the service, for /health. */
  readonly version: string;
  readonly log: Logger;
  readonly inbox: Inbox<ClusterEvent>;
  readonly counts: Counts;
  /** The counters and histograms of workers that are gone, in the form of a worker's snapshot. */
  history: object[];
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

/** Asks a worker to go, and sets the time when it is made to. */
export function drain(worker: Worker, mode: DrainMode, patienceSeconds: number): void {
  if (worker.phase === "killed") return;
  worker.phase = "draining";
  worker.killAt = Math.min(worker.killAt, performance.now() + patienceSeconds * 1_000);
  // A worker that is going away by itself has no channel any more; its exit is on the way.
  if (worker.child.connected) worker.child.send({ type: "drain", mode }, () => {});
}

/** Ends a worker at once, whatever it is doing. */
export function kill(worker: Worker, reason: string): void {
  worker.phase = "killed";
  worker.killReason ??= reason;
  worker.child.kill("SIGKILL");
}

/** The workers that count as capacity, now or soon; of one pool, or of all. */
export function alive({ workers }: Cluster, only?: Pool): Worker[] {
  return [...workers].filter(
    ({ phase, pool }) =>
      (phase === "booting" || phase === "ready") && (only === undefined || pool === only),
  );
}

/** Those of them that have been ready and are not to be replaced. */
export function fresh(cluster: Cluster, pool: Pool): Worker[] {
  return alive(cluster, pool).filter(
    ({ outdated, wasReady }) => outdated === undefined && wasReady,
  );
}
