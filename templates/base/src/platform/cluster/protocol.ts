import type { Server } from "node:http";
import type { ReadinessReport } from "../health.ts";
import type { ClusterPlan } from "./config.ts";

/** `web` listens and answers; `background` runs the integrations' background work. */
export type Role = "web" | "background";

/** The primary's plan, as one worker gets it. */
export interface WorkerConfig extends Omit<ClusterPlan, "hooks"> {
  worker: number;
  role: Role;
}

export const WORKER_VARIABLE = "CLUSTER_WORKER";

export function isWorker(): boolean {
  return process.env[WORKER_VARIABLE] !== undefined;
}

/** Takes the worker's configuration out of the environment, so that its child processes are not workers. */
export function readWorkerConfig(): WorkerConfig {
  const config = JSON.parse(process.env[WORKER_VARIABLE] ?? "null") as WorkerConfig;
  delete process.env[WORKER_VARIABLE];
  return config;
}

/** The service that runs in a worker, as the process manager sees it. */
export interface WorkerService {
  /** Not listening yet: the worker listens and closes. None for background work. */
  server?: Server;
  /** From now on every response ends its connection. With `stopping`, the whole service goes down: not ready. */
  beginDrain(options: { stopping: boolean }): void;
  /** Ends background work, closes the dependencies in reverse order, then flushes telemetry. */
  close(): Promise<void>;
  /** Cached: it goes to the primary with every heartbeat. */
  readiness(): ReadinessReport;
  /** The worker's registry as plain data, for the primary's /metrics. */
  metricsSnapshot(): Promise<object[]>;
  /** Ids of the requests that are not answered yet: named in a hang report. */
  requestsInFlight(): string[];
  onRequestFinished(listener: () => void): void;
}

export interface Beat {
  type: "beat";
  readiness: ReadinessReport;
  requests: string[];
  /** Only when they changed since the last beat. */
  metrics?: object[];
}

/** Why a worker asks to be replaced. `crash`: an uncaught exception; it exits once it is replaced. */
export type RetireReason = "max_requests" | "memory" | "signal" | "crash";
export type ToPrimary = { type: "ready" } | { type: "retire"; reason: RetireReason } | Beat;

/**
 * How a worker is to exit. `stop`: the service goes down, serve on for the deregistration delay first;
 * `replace`: others take over, accept nothing more but let idle connections come back once; `quick`: now.
 */
export type DrainMode = "stop" | "replace" | "quick";
export type ToWorker = { type: "drain"; mode: DrainMode };

/** Seconds between two beats. */
export const BEAT_INTERVAL = 1;
export const MAX_REQUEST_IDS = 100;
