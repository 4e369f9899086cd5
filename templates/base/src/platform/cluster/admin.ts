import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { MetricObject, Registry } from "@prometheus-io/client";
import { ERROR_STATUS, type ErrorCode, errorText } from "../errors.ts";
import { limitConnections } from "../http/connections.ts";
import { createServer, hasOneHost, ONE_HOST, requestIds } from "../http/node-http.ts";
import { type Cluster, dependencyChecks, heard, ready } from "./state.ts";

interface AdminResponse {
  status: number;
  type?: string;
  body: string;
}
type Handler = () => AdminResponse | Promise<AdminResponse>;

/**
 * The operator's port, in the primary: /metrics of the whole group, /health, /health/ready. Answered from what
 * workers sent before, so that a hung worker never delays a scrape or a probe.
 */
export function createAdminServer(cluster: Cluster): Server {
  const { log } = cluster;
  const version = cluster.settings.VERSION;
  const handlers: Record<string, Handler> = {
    "/metrics": async () => ({ status: 200, ...(await metricsText(cluster)) }),
    "/health": () => ({ status: 200, body: JSON.stringify({ status: "healthy", version }) }),
    "/health/ready": () => readiness(cluster),
  };
  const listener: RequestListener = (req, res) => {
    const handler = handlers[(req.url ?? "").split("?", 1)[0] ?? ""];
    respond(req, res, handler).catch((error: unknown) => {
      log.error({ error }, "the admin server failed to answer");
      res.destroy();
    });
  };
  const server = createServer({ requireHostHeader: false }, listener);
  // Handle `Expect` like any request; Node's own 417 has no body.
  server.on("checkExpectation", listener);
  limitConnections(server, cluster.plan, log);
  return server;
}

async function respond(
  req: IncomingMessage,
  res: ServerResponse,
  handler: Handler | undefined,
): Promise<void> {
  const { requestId, correlationId } = requestIds(req.headers);
  const reject = (code: ErrorCode, message: string): AdminResponse => ({
    status: ERROR_STATUS[code],
    body: errorText(code, message, requestId),
  });
  let response: AdminResponse;
  if (!hasOneHost(req)) response = reject("VALIDATION_ERROR", ONE_HOST);
  else if (!handler) response = reject("NOT_FOUND", "no such route");
  else if (req.method === "GET" || req.method === "HEAD") response = await handler();
  else {
    res.setHeader("Allow", "GET, HEAD");
    response = reject("METHOD_NOT_ALLOWED", "use GET");
  }
  const { status, body, type = "application/json; charset=utf-8" } = response;
  res.writeHead(status, {
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    "X-Request-ID": requestId,
    "X-Correlation-ID": correlationId,
  });
  res.end(req.method === "HEAD" ? undefined : body);
}

/** Ready while at least one web worker is; a check is healthy when any worker reports it so. */
function readiness(cluster: Cluster): AdminResponse {
  const checks = dependencyChecks(cluster);
  const serves = heard(cluster).some(
    ({ pool, beat }) => pool.role === "web" && beat?.readiness.ready,
  );
  const isReady = serves && !cluster.stopping;
  const status = isReady ? "ready" : "not_ready";
  return { status: isReady ? 200 : 503, body: JSON.stringify({ status, checks }) };
}

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
  const merged = await aggregate([cluster.exitedMetrics, ...snapshots, ownMetrics(cluster)]);
  return { type: merged.contentType, body: await merged.metrics() };
}

/** Adds the totals of a worker that has exited, so that the service's never go down. Its gauges mean nothing now. */
export async function mergeExited(exited: object[], snapshot: object[]): Promise<object[]> {
  const totals = (snapshot as MetricObject[]).filter(({ type }) => type !== "gauge");
  return (await aggregate([exited, totals])).getMetricsAsJSON();
}

async function aggregate(snapshots: object[][]): Promise<Registry> {
  const { AggregatorRegistry } = await import("@prometheus-io/client");
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
