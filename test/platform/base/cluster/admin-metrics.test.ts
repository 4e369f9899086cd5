import {
  AggregatorRegistry,
  Counter,
  Gauge,
  Histogram,
  Registry,
  Summary,
} from "@prometheus-io/client";
import { expect, it } from "vitest";
import { mergeExited, metricsText } from "../../src/platform/cluster/admin.ts";
import type { Cluster } from "../../src/platform/cluster/state.ts";

/** The snapshot of a worker that answered `count` requests, the last within 0.2 s. */
async function snapshotOf(count: number): Promise<object[]> {
  const registers = [new Registry()];
  const requests = new Counter({ name: "r_total", help: "r", labelNames: ["code"], registers });
  const duration = new Histogram({ name: "d_seconds", help: "d", buckets: [0.1, 1], registers });
  new Gauge({ name: "open", help: "o", registers }).set(count);
  new Gauge({ name: "lag", help: "l", aggregator: "max", registers }).set(count);
  new Summary({ name: "s", help: "s", percentiles: [0.5], registers }).observe(count);
  requests.inc({ code: "200" }, count);
  duration.observe(0.2);
  return registers[0]!.getMetricsAsJSON();
}

function textOf(history: object[]): Promise<string> {
  return AggregatorRegistry.aggregate([history]).metrics();
}

it("keeps counters and histograms of the dead, and forgets their gauges", async () => {
  const once = await mergeExited([], await snapshotOf(2));
  const twice = await mergeExited(once, await snapshotOf(3));
  const text = await textOf(await mergeExited(twice, await snapshotOf(10)));
  expect(text).toContain('r_total{code="200"} 15');
  expect(text).toContain('d_seconds_bucket{le="0.1"} 0');
  expect(text).toContain('d_seconds_bucket{le="1"} 3');
  expect(text).toContain("d_seconds_count 3");
  expect(text).not.toContain("open");
});

it("is empty before anybody died", async () => {
  expect(await textOf(await mergeExited([], []))).toBe("\n");
});

/** The text of /metrics of a group whose running workers sent `snapshots`. */
async function textFor(exitedMetrics: object[], snapshots: object[][]): Promise<string> {
  const pools = { web: { desired: 2 }, background: { desired: 0 } };
  const workers = new Set(
    snapshots.map((snapshot, index) => ({
      slot: index + 1,
      phase: "ready",
      wasReady: true,
      lastBeatAt: performance.now(),
      snapshot,
    })),
  );
  const restarts = new Map([["crash", 1]]);
  const cluster = { exitedMetrics, pools, workers, restarts, reloads: new Map(), hangs: 0 };
  return (await metricsText(cluster as unknown as Cluster)).body;
}

it("adds gauges up over the running workers, unless they were made with another aggregator", async () => {
  const text = await textFor(await snapshotOf(7), [await snapshotOf(2), await snapshotOf(3)]);
  expect(text).toMatch(/^r_total\{code="200"\} 12$/m);
  const running = await textFor([], [await snapshotOf(2), await snapshotOf(3)]);
  expect(running).toMatch(/^open 5$/m);
  expect(running).toMatch(/^lag 3$/m);
});

it("keeps sum and count of a summary, and no quantiles, which cannot be merged", async () => {
  const exited = await mergeExited([], await snapshotOf(10));
  const text = await textFor(exited, [await snapshotOf(2), await snapshotOf(3)]);
  expect(text).toMatch(/^s_sum 15$/m);
  expect(text).toMatch(/^s_count 3$/m);
  expect(text).not.toContain("quantile");
});

it("has the primary's own metrics", async () => {
  const text = await textFor([], [await snapshotOf(1)]);
  expect(text).toContain('# TYPE cluster_workers gauge\ncluster_workers{phase="booting"} 0');
  expect(text).toMatch(/^cluster_workers\{phase="ready"\} 1$/m);
  expect(text).toMatch(/^cluster_workers_desired 2$/m);
  expect(text).toMatch(/^cluster_worker_heartbeat_age_seconds\{worker="1"\} \d/m);
  expect(text).toMatch(/^cluster_worker_restarts_total\{reason="crash"\} 1$/m);
  expect(text).toMatch(/^cluster_worker_hangs_total 0$/m);
});
