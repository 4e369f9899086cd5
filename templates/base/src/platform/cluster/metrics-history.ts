import { AggregatorRegistry, type MetricObject, type Registry } from "@prometheus-io/client";

/** The counters and histograms of workers that are gone, so that the service's totals never go down. */
export interface MetricsHistory {
  /** Adds the last snapshot of a worker that died. */
  fold(snapshot: object[]): Promise<void>;
  /** The sums so far, in the form of a worker's snapshot. */
  snapshot(): object[];
}

// A gauge of a dead worker describes nothing any more.
const LASTING = new Set<MetricObject["type"]>(["counter", "histogram"]);

export function createMetricsHistory(): MetricsHistory {
  let sums: object[] = [];
  return {
    async fold(snapshot) {
      const lasting = (snapshot as MetricObject[]).filter(({ type }) => LASTING.has(type));
      sums = await aggregate([sums, lasting]).getMetricsAsJSON();
    },
    snapshot: () => sums,
  };
}

/** One registry with the sums (or what each metric's own aggregator makes) of several snapshots. */
export function aggregate(snapshots: object[][]): Registry {
  return AggregatorRegistry.aggregate(snapshots);
}
