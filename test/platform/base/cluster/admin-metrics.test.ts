import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from "@prometheus-io/client";
import { expect, it } from "vitest";
import { mergeExited } from "../../src/platform/cluster/admin-metrics.ts";

/** The snapshot of a worker that answered `count` requests, the last within 0.2 s. */
async function snapshotOf(count: number): Promise<object[]> {
  const registers = [new Registry()];
  const requests = new Counter({ name: "r_total", help: "r", labelNames: ["code"], registers });
  const duration = new Histogram({ name: "d_seconds", help: "d", buckets: [0.1, 1], registers });
  new Gauge({ name: "open", help: "o", registers }).set(count);
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
