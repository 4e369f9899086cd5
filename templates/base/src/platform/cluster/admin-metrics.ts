import { AggregatorRegistry, type MetricObject, type Registry } from "@prometheus-io/client";
import { alive, type Cluster } from "./state.ts";

// This module loads the metrics client, so the primary imports it when its workers are ready.

/**
 * The text of /metrics: the workers' metrics as one, and the primary's own. Counters and histograms are added up,
 * those of workers that have exited too. A gauge is added up over the running workers, unless it was made with
 * another `aggregator` ("average", "min", "max", "first", "omit"). Of a summary only sum and count are kept:
 * quantiles cannot be merged.
 */
export async function metricsText(cluster: Cluster): Promise<{ type: string; body: string }> {
  const snapshots = [...cluster.workers].flatMap(({ snapshot }) => (snapshot ? [snapshot] : []));
  const merged = aggregate([cluster.exitedMetrics, ...snapshots, clusterMetrics(cluster)]);
  return { type: merged.contentType, body: await merged.metrics() };
}

/** Adds the totals of a worker that has exited, so that the service's never go down. Its gauges mean nothing now. */
export async function mergeExited(exited: object[], snapshot: object[]): Promise<object[]> {
  const totals = (snapshot as MetricObject[]).filter(({ type }) => type !== "gauge");
  return aggregate([exited, totals]).getMetricsAsJSON();
}

function aggregate(snapshots: object[][]): Registry {
  return AggregatorRegistry.aggregate(snapshots.map((metrics) => metrics.map(withoutQuantiles)));
}

function withoutQuantiles(metric: object): object {
  const { type, values } = metric as MetricWithValues;
  if (type !== "summary") return metric;
  return { ...metric, values: values.filter(({ labels }) => !("quantile" in (labels ?? {}))) };
}

interface MetricWithValues {
  name: string;
  help: string;
  type: string;
  aggregator: string;
  values: { value: number; labels?: Record<string, string | number> }[];
}

/** The primary's own metrics, in the form of a worker's snapshot. */
function clusterMetrics(cluster: Cluster): MetricWithValues[] {
  const { pools, workers, restarts, hangs, reloads } = cluster;
  const now = performance.now();
  const phases = ["booting", "ready", "draining", "killed"] as const;
  const ready = alive(cluster).filter(({ wasReady }) => wasReady);
  return [
    asMetric(
      "gauge",
      "cluster_workers",
      "Worker processes by phase.",
      phases.map((phase) => ({
        labels: { phase },
        value: [...workers].filter((worker) => worker.phase === phase).length,
      })),
    ),
    asMetric("gauge", "cluster_workers_desired", "Worker processes that there should be.", [
      { value: pools.web.desired + pools.background.desired },
    ]),
    asMetric(
      "gauge",
      "cluster_worker_heartbeat_age_seconds",
      "Time since the last sign of life of a ready worker.",
      ready.map(({ slot, lastBeatAt }) => ({
        labels: { worker: slot },
        value: (now - lastBeatAt) / 1_000,
      })),
    ),
    asMetric(
      "counter",
      "cluster_worker_restarts_total",
      "Workers that ended and were replaced, by reason.",
      [...restarts].map(([reason, value]) => ({ labels: { reason }, value })),
    ),
    asMetric(
      "counter",
      "cluster_worker_hangs_total",
      "Workers killed because their event loop was silent for the timeout.",
      [{ value: hangs }],
    ),
    asMetric(
      "counter",
      "cluster_reloads_total",
      "Reloads and rolling restarts, by result.",
      [...reloads].map(([result, value]) => ({ labels: { result }, value })),
    ),
  ];
}

function asMetric(
  type: "counter" | "gauge",
  name: string,
  help: string,
  values: MetricWithValues["values"],
): MetricWithValues {
  return { name, help, type, aggregator: "sum", values };
}
