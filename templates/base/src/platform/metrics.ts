import { collectDefaultMetrics, Gauge, Histogram, Registry } from "@prometheus-io/client";

/** The metrics of one worker. Register your own here: `new Counter({ …, registers: [metrics.registry] })`. */
export interface Metrics {
  registry: Registry;
  requestDurations: {
    /**
     * @param method one of a fixed list, so that a stranger cannot make up label values.
     * @param route the template of the route; empty when none matched.
     */
    observe(method: string, route: string, status: number, seconds: number): void;
  };
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
  const durations = new Histogram({
    name: "http_server_request_duration_seconds",
    help: "Duration of HTTP requests.",
    labelNames: ["http_request_method", "http_route", "http_response_status_code"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    registers: [registry],
  });
  return {
    registry,
    requestDurations: {
      observe(method, route, status, seconds) {
        const labels = {
          http_request_method: method,
          http_route: route,
          http_response_status_code: status,
        };
        durations.observe(labels, seconds);
      },
    },
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
