import { collectDefaultMetrics, Gauge, Histogram, Registry } from "@prometheus-io/client";

/** The metrics of one worker. Register your own here: `new Counter({ …, registers: [metrics.registry] })`. */
export interface Metrics {
  registry: Registry;
  /** The method is one of a fixed list, so that a stranger cannot make up label values; the route is a template. */
  requestDurations: Histogram<"http_request_method" | "http_route" | "http_response_status_code">;
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
  // Name, unit, labels and bounds of the OpenTelemetry convention http.server.request.duration.
  const requestDurations = new Histogram({
    name: "http_server_request_duration_seconds",
    help: "Duration of HTTP requests.",
    labelNames: ["http_request_method", "http_route", "http_response_status_code"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    registers: [registry],
  });
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
