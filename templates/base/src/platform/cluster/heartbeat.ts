import { getHeapStatistics } from "node:v8";
import type { Logger } from "../logging.ts";
import { BEAT_INTERVAL, type Beat, MAX_REQUEST_IDS, type ToPrimary } from "./messages.ts";
import type { WorkerOrders } from "./orders.ts";
import type { WorkerService } from "./service.ts";

/** The beating of one worker. */
export interface Heartbeat {
  /** Stops it and sends the final metrics; resolves when they are on their way. */
  stop(): Promise<void>;
}

/** Process metrics change without requests: they are sent every so many beats. */
const QUIET_BEATS = 5;
/** How long a beat waits for the metrics: a gauge of the service's own may ask somebody who does not answer. */
const COLLECT_MS = 2_000;
/** One high reading may be garbage that the next collection takes away. */
const HIGH_READINGS = 3;
const HEAP_SHARE = 0.85;
const MIB = 1024 * 1024;

/**
 * Sends a sign of life every second from a timer of the event loop that it vouches for, and asks for a
 * replacement when the worker has served enough requests or grown too large.
 */
export function startHeartbeat(
  service: WorkerService,
  orders: WorkerOrders,
  log: Logger,
  tell: (message: ToPrimary, sent?: () => void) => void,
): Heartbeat {
  let served = 0;
  let servedAtLastPush = -1;
  let beats = 0;
  let highReadings = 0;
  let metricsFailed = false;
  let collecting = 0;

  service.onRequestFinished(() => {
    served += 1;
    if (served === orders.maxRequests) tell({ type: "retire", reason: "max_requests" });
  });

  const compose = async (withMetrics: boolean): Promise<Beat> => ({
    type: "beat",
    readiness: service.readiness(),
    requests: service.requestsInFlight().slice(0, MAX_REQUEST_IDS),
    ...(withMetrics && (await collect())),
  });
  // A metric that cannot be read, or not in time, must cost neither the heartbeat nor a line every second.
  const collect = async (): Promise<Pick<Beat, "metrics">> => {
    collecting += 1;
    const snapshot = service.metricsSnapshot().finally(() => (collecting -= 1));
    try {
      return { metrics: await withinLimit(snapshot) };
    } catch (error) {
      if (!metricsFailed) log.error({ error }, "metrics cannot be collected");
      metricsFailed = true;
      return {};
    }
  };
  const beat = async (): Promise<void> => {
    const due = served !== servedAtLastPush || beats % QUIET_BEATS === 0;
    const push = due && collecting === 0;
    beats += 1;
    if (push) servedAtLastPush = served;
    tell(await compose(push));
    highReadings = isTooLarge(orders.workerMemoryLimit) ? highReadings + 1 : 0;
    if (highReadings === HIGH_READINGS) tell({ type: "retire", reason: "memory" });
  };

  void beat();
  const timer = setInterval(() => void beat(), BEAT_INTERVAL * 1_000);
  return {
    async stop() {
      clearInterval(timer);
      const last = await compose(true);
      await new Promise<void>((resolve) => tell(last, resolve));
    },
  };
}

/** The outcome of `snapshot`, unless it takes too long. */
async function withinLimit<Value>(snapshot: Promise<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = new Error(`no answer within ${COLLECT_MS} ms`);
  const timer = setTimeout(() => reject(late), COLLECT_MS);
  return Promise.race([snapshot, promise]).finally(() => clearTimeout(timer));
}

/** Near the limit given, or near the end of its heap: then V8 would soon end the process in mid-request. */
function isTooLarge(limitMib: number): boolean {
  const heap = getHeapStatistics();
  if (heap.used_heap_size > HEAP_SHARE * heap.heap_size_limit) return true;
  return limitMib > 0 && process.memoryUsage.rss() > limitMib * MIB;
}
