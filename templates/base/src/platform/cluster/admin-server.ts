import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { ERROR_STATUS, type ErrorCode, errorText } from "../errors.ts";
import { limitConnections } from "../http/connections.ts";
import { createServer } from "../http/node-http.ts";
import { hasOneHost, ONE_HOST, requestIds } from "../http/request-head.ts";
import { type Cluster, dependencyChecks, heard } from "./state.ts";

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
    "/metrics": async () => {
      const { metricsText } = await import("./admin-metrics.ts");
      return { status: 200, ...(await metricsText(cluster)) };
    },
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
  const ready = serves && !cluster.stopping;
  const status = ready ? "ready" : "not_ready";
  return { status: ready ? 200 : 503, body: JSON.stringify({ status, checks }) };
}
