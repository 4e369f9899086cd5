import { AggregatorRegistry, type MetricObject, type Registry } from "@prometheus-io/client";
import { type Cluster, dependencyChecks, ready } from "./state.ts";

interface Sample {
  value: number;
  labels?: Record<string, string | number> | undefined;
}

/**
 * The text of /metrics: the workers' metrics as one, and the primary's own. Counters and histograms are added up,
 * those of workers that have exited too. A gauge is added up over the running workers, unless it was made with
 * another `aggregator` ("average", "min", "max", "first", "omit"). Of a summary only sum and count are kept:
 * quantiles cannot be merged.
 */
export async function metricsText(cluster: Cluster): Promise<{ type: string; body: string }> {
  const snapshots = [...cluster.workers].flatMap(({ snapshot }) => (snapshot ? [snapshot] : []));
  const merged = aggregate([cluster.exitedMetrics, ...snapshots, ownMetrics(cluster)]);
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
  const { type, values } = metric as { type: string; values: Sample[] };
  if (type !== "summary") return metric;
  return { ...metric, values: values.filter(({ labels = {} }) => !("quantile" in labels)) };
}

const sample = (labels: Sample["labels"], value: number): Sample => ({ labels, value });
const HELP: Record<string, string> = {
  cluster_workers: "Worker processes by phase.",
  cluster_workers_desired: "Worker processes that there should be.",
  cluster_worker_heartbeat_age_seconds: "Time since the last sign of life of a ready worker.",
  cluster_worker_restarts_total: "Workers that ended and were replaced, by reason.",
  cluster_worker_hangs_total: "Workers killed because their event loop was silent for the timeout.",
  dependency_healthy: "Whether a dependency answers, as the workers' last beats say: 1 or 0.",
  cluster_reloads_total: "Reloads and rolling restarts, by result.",
};
const PHASES = ["booting", "ready", "draining", "killed"] as const;

/** The primary's own metrics, in the form of a worker's snapshot. */
function ownMetrics(cluster: Cluster): object[] {
  const { workers, pools, restarts, hangs, reloads } = cluster;
  const now = performance.now();
  const phases = Object.groupBy(workers, ({ phase }) => phase);
  const checks = Object.entries(dependencyChecks(cluster));
  const samples: Record<string, Sample[]> = {
    cluster_workers: PHASES.map((phase) => sample({ phase }, phases[phase]?.length ?? 0)),
    cluster_workers_desired: [{ value: pools.web.desired + pools.background.desired }],
    cluster_worker_heartbeat_age_seconds: ready(cluster).map(({ slot, lastBeatAt }) =>
      sample({ worker: slot }, (now - lastBeatAt) / 1_000),
    ),
    cluster_worker_restarts_total: [...restarts].map(([reason, count]) =>
      sample({ reason }, count),
    ),
    cluster_worker_hangs_total: [{ value: hangs }],
    dependency_healthy: checks.map(([dependency, state]) =>
      sample({ dependency }, Number(state === "healthy")),
    ),
    cluster_reloads_total: [...reloads].map(([result, count]) => sample({ result }, count)),
  };
  return Object.entries(samples).map(([name, values]) => {
    const type = name.endsWith("_total") ? "counter" : "gauge";
    return { name, type, help: HELP[name], values, aggregator: "sum" };
  });
}
