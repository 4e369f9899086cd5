import { getHeapStatistics } from "node:v8";
import type { Logger } from "../logging.ts";
import {
  BEAT_INTERVAL,
  type Beat,
  MAX_REQUEST_IDS,
  type ToPrimary,
  type WorkerConfig,
  type WorkerService,
} from "./protocol.ts";

const QUIET_BEATS = 5;
/** A gauge of the service may wait for something that does not answer. */
const COLLECT_MS = 2_000;
/** Three in a row, because one may be garbage not yet collected. */
const HIGH_READINGS = 3;
const HEAP_SHARE = 0.85;
const MIB = 1024 * 1024;

/**
 * Sends a sign of life every second from a timer of the event loop that it vouches for, and asks for a
 * replacement when the worker has served enough requests or grown too large.
 * @returns `stop`, which sends the final metrics.
 */
export function startHeartbeat(
  service: WorkerService,
  config: Pick<WorkerConfig, "maxRequests" | "workerMemoryLimit">,
  log: Logger,
  send: (message: ToPrimary, sent?: () => void) => void,
): { stop(): Promise<void> } {
  let served = 0;
  let servedAtLastPush = -1;
  let beats = 0;
  let highReadings = 0;
  let metricsFailed = false;
  let collecting = false;

  service.onRequestFinished(() => {
    served += 1;
    if (served === config.maxRequests) send({ type: "retire", reason: "max_requests" });
  });

  // A metric that fails, or is late, must cost neither the heartbeat nor a log line every second.
  const collect = async (): Promise<object[] | undefined> => {
    collecting = true;
    const snapshot = service.metricsSnapshot().finally(() => (collecting = false));
    try {
      return await withTimeout(snapshot);
    } catch (error) {
      if (!metricsFailed) log.error({ error }, "collecting the metrics failed");
      metricsFailed = true;
      return undefined;
    }
  };
  const compose = async (withMetrics: boolean): Promise<Beat> => {
    const requests = service.requestsInFlight().slice(0, MAX_REQUEST_IDS);
    const metrics = withMetrics ? await collect() : undefined;
    return { type: "beat", readiness: service.readiness(), requests, ...(metrics && { metrics }) };
  };
  const beat = async (): Promise<void> => {
    const due = served !== servedAtLastPush || beats % QUIET_BEATS === 0;
    const push = due && !collecting;
    beats += 1;
    if (push) servedAtLastPush = served;
    send(await compose(push));
    highReadings = isTooLarge(config.workerMemoryLimit) ? highReadings + 1 : 0;
    if (highReadings === HIGH_READINGS) send({ type: "retire", reason: "memory" });
  };

  void beat();
  const timer = setInterval(() => void beat(), BEAT_INTERVAL * 1_000);
  return {
    async stop() {
      clearInterval(timer);
      const last = await compose(true);
      await new Promise<void>((resolve) => send(last, resolve));
    },
  };
}

async function withTimeout<Value>(snapshot: Promise<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = new Error(`no answer within ${COLLECT_MS} ms`);
  const timer = setTimeout(() => reject(late), COLLECT_MS);
  return Promise.race([snapshot, promise]).finally(() => clearTimeout(timer));
}

/** Above the limit, or near the end of its heap: then V8 would soon end the process in mid-request. */
function isTooLarge(limitMib: number): boolean {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  if (used > HEAP_SHARE * limit) return true;
  return limitMib > 0 && process.memoryUsage.rss() > limitMib * MIB;
}
