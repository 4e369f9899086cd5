import type { ReadinessReport } from "./service.ts";

/** Why a worker asks to be replaced. */
export type RetireReason = "max_requests" | "memory" | "signal";

/** A sign of life from the worker's event loop. */
export interface Beat {
  type: "beat";
  readiness: ReadinessReport;
  /** Ids of the requests in flight, the oldest first; bounded. */
  requests: string[];
  /** The metrics, when they changed since the last beat. */
  metrics?: object[];
}

/** What workers say. Messages on the IPC channel that look otherwise are not ours and are ignored. */
export type ToPrimary = { type: "ready" } | { type: "retire"; reason: RetireReason } | Beat;

/**
 * How a worker is to go. `stop`: the service goes down, serve on for the deregistration delay first;
 * `replace`: others take over, accept nothing more but let idle connections come back once; `quick`: now.
 */
export type DrainMode = "stop" | "replace" | "quick";

/** What the primary says. */
export interface ToWorker {
  type: "drain";
  mode: DrainMode;
}

/** Seconds between two beats. */
export const BEAT_INTERVAL = 1;
/** Seconds that requests in flight get in a quick stop; Gunicorn's limit after a second INT. */
export const QUICK_TIMEOUT = 2;
/** Seconds that closing the dependencies and flushing telemetry may take before the worker is killed. */
export const CLOSE_TIMEOUT = 5;
/** So many are named in the report of a hang. */
export const MAX_REQUEST_IDS = 100;
