import {
  AggregatorRegistry,
  Counter,
  Gauge,
  type MetricObject,
  Registry,
} from "@prometheus-io/client";
import { alive, type Cluster } from "./state.ts";

// This module brings the metrics client with it, so the primary loads it when its workers are started.

/** The text of /metrics: the sums over the workers there are and were, and the primary's own. */
export async function expose(cluster: Cluster): Promise<{ type: string; body: string }> {
  const snapshots = [...cluster.workers].flatMap(({ snapshot }) => (snapshot ? [snapshot] : []));
  const workers = AggregatorRegistry.aggregate([cluster.history, ...snapshots]);
  const own = ownMetrics(cluster);
  return {
    type: own.contentType,
    body: `${await workers.metrics()}\n${await own.metrics()}`,
  };
}

// A gauge of a dead worker describes nothing any more.
const LASTING = new Set<MetricObject["type"]>(["counter", "histogram"]);

/** Adds a dead worker's counters and histograms to those of others, so that the service's totals never go down. */
export async function fold(history: object[], snapshot: object[]): Promise<object[]> {
  const lasting = (snapshot as MetricObject[]).filter(({ type }) => LASTING.has(type));
  return AggregatorRegistry.aggregate([history, lasting]).getMetricsAsJSON();
}

function ownMetrics(cluster: Cluster): Registry {
  const { counts, workers, pools } = cluster;
  const registry = new Registry();
  const registers = [registry];
  const phases = new Gauge({
    name: "cluster_workers",
    help: "Worker processes by phase.",
    labelNames: ["phase"],
    registers,
  });
  for (const phase of ["booting", "ready", "draining", "killed"] as const) {
    phases.set({ phase }, [...workers].filter((worker) => worker.phase === phase).length);
  }
  new Gauge({
    name: "cluster_workers_desired",
    help: "Worker processes that there should be.",
    registers,
  }).set(Object.values(pools).reduce((sum, pool) => sum + pool.desired, 0));
  const age = new Gauge({
    name: "cluster_worker_heartbeat_age_seconds",
    help: "Time since the last sign of life of a ready worker.",
    labelNames: ["worker"],
    registers,
  });
  const now = performance.now();
  for (const worker of alive(cluster)) {
    if (worker.wasReady) age.set({ worker: worker.slot }, (now - worker.lastBeatAt) / 1_000);
  }
  const restarts = new Counter({
    name: "cluster_worker_restarts_total",
    help: "Workers that ended and were replaced, by reason.",
    labelNames: ["reason"],
    registers,
  });
  for (const [reason, count] of counts.restarts) restarts.inc({ reason }, count);
  new Counter({
    name: "cluster_worker_hangs_total",
    help: "Workers killed because their event loop was silent for the timeout.",
    registers,
  }).inc(counts.hangs);
  const reloads = new Counter({
    name: "cluster_reloads_total",
    help: "Reloads and rolling restarts, by result.",
    labelNames: ["result"],
    registers,
  });
  for (const [result, count] of counts.reloads) reloads.inc({ result }, count);
  return registry;
}
