import type { Server } from "node:http";

/** The state of the dependencies as a worker last saw it. */
export interface ReadinessReport {
  ready: boolean;
  checks: Record<string, "healthy" | "unhealthy">;
}

/** What the process manager needs of the service that runs in a worker. */
export interface WorkerService {
  /** Not listening yet: the worker half of the cluster listens and closes. None where background work is done. */
  server?: Server;
  /**
   * From now on every response, also one in preparation, ends its connection. With `stopping` the whole
   * service goes down and readiness turns 503; without, only this worker is replaced.
   */
  beginDrain(options: { stopping: boolean }): void;
  /** Ends background work, closes the dependencies in reverse order, then flushes telemetry. */
  close(): Promise<void>;
  /** Cached and cheap: it goes to the primary with every heartbeat. */
  readiness(): ReadinessReport;
  /** The worker's registry as plain data, for the primary's /metrics. */
  metricsSnapshot(): Promise<object[]>;
  /** Ids of the requests that are not answered yet: named in the report of a hang. */
  requestsInFlight(): string[];
  /** Calls `listener` after each answered request. */
  onRequestFinished(listener: () => void): void;
}
