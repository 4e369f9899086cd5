// The bounds that the OpenTelemetry convention advises for http.server.request.duration, in seconds.
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

const NAME = "http_server_request_duration_seconds";

interface Series {
  labels: Record<string, string>;
  /** How many durations are within each bound and above the one before; the last is for those above all. */
  counts: Float64Array;
  sum: number;
}

/**
 * The histogram of the duration of requests, as a metric for a Prometheus registry. The library's own makes an object and
 * a long key for every observation; this one is observed by every request.
 */
export class RequestDurations {
  readonly name = NAME;
  readonly help = "Duration of HTTP requests.";
  readonly type = "histogram";
  readonly aggregator = "sum";
  // By route, then by status and method: no key has to be made for a request.
  readonly #routes = new Map<string, Map<number, Map<string, Series>>>();

  /** @param route the template of the route; empty when none matched. */
  observe(method: string, route: string, status: number, seconds: number): void {
    const series = this.#routes.get(route)?.get(status)?.get(method);
    record(series ?? this.#add(method, route, status), seconds);
  }

  /** What the registry asks for. */
  async get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: this.#all().flatMap(valuesOf) };
  }

  reset(): void {
    this.#routes.clear();
  }

  #add(method: string, route: string, status: number): Series {
    const labels = {
      http_request_method: method,
      http_route: route,
      http_response_status_code: String(status),
    };
    const series = { labels, counts: new Float64Array(BOUNDS.length + 1), sum: 0 };
    const statuses = this.#routes.get(route) ?? new Map<number, Map<string, Series>>();
    const methods = statuses.get(status) ?? new Map<string, Series>();
    this.#routes.set(route, statuses.set(status, methods.set(method, series)));
    return series;
  }

  #all(): Series[] {
    const statuses = [...this.#routes.values()].flatMap((byStatus) => [...byStatus.values()]);
    return statuses.flatMap((byMethod) => [...byMethod.values()]);
  }
}

function record(series: Series, seconds: number): void {
  let bound = 0;
  while (bound < BOUNDS.length && seconds > BOUNDS[bound]!) bound += 1;
  series.counts[bound]! += 1;
  series.sum += seconds;
}

function valuesOf({ labels, counts, sum }: Series): object[] {
  let count = 0;
  const buckets = Array.from(counts, (within, index) => {
    count += within;
    const le = BOUNDS[index] ?? "+Inf";
    return { labels: { le, ...labels }, value: count, metricName: `${NAME}_bucket` };
  });
  return [
    ...buckets,
    { labels, value: sum, metricName: `${NAME}_sum` },
    { labels, value: count, metricName: `${NAME}_count` },
  ];
}
