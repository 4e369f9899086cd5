import { collectDefaultMetrics, Gauge, type Metric, Registry } from "@prometheus-io/client";
import { RequestDurations } from "./observability/request-durations.ts";

/** The metrics of one worker. Register your own here: `new Counter({ …, registers: [metrics.registry] })`. */
export interface Metrics {
  registry: Registry;
  /** Name, unit and labels of the OpenTelemetry convention http.server.request.duration. */
  requestDurations: RequestDurations;
  /** From now on, the gauge of active requests is what `count` says when it is asked. */
  countActiveRequests(count: () => number): void;
}

// Default metrics whose names break Prometheus' rules (a suffix that means another type); promtool reports them.
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
  "nodejs_eventloop_utilization_histogram",
  "nodejs_eventloop_utilization_summary",
];

/** A registry of its own with the metrics of the process and of HTTP. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const requestDurations = new RequestDurations();
  // What the registry does with a metric is to ask it for its values.
  registry.registerMetric(requestDurations as unknown as Metric);
  return {
    registry,
    requestDurations,
    countActiveRequests(count) {
      void new Gauge({
        name: "http_server_active_requests",
        help: "HTTP requests being answered now.",
        registers: [registry],
        collect() {
          this.set(count());
        },
      });
    },
  };
}
