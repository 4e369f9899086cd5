import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { hasOneHost, ONE_HOST } from "../http/headers.ts";
import { createServer } from "../http/node-http.ts";
import { requestIds } from "../http/request-ids.ts";
import { errorText } from "../http/error-text.ts";
import { BEAT_INTERVAL } from "./messages.ts";
import { answerProtocolErrors } from "./protocol-errors.ts";
import { alive, type Cluster } from "./state.ts";

interface Answer {
  status: number;
  type: string;
  body: string;
}

/** A worker that missed so many beats says nothing about readiness any more. */
const FRESH_BEATS = 5;

/**
 * The operator's door, in the primary: /metrics of the whole group, /health, /health/ready. Answered from what
 * workers pushed, so that a hung worker never holds up a scrape or a probe.
 */
export function createHub(cluster: Cluster): Server {
  const routes: Record<string, () => Answer | Promise<Answer>> = {
    "/metrics": () => metrics(cluster),
    "/health": () => json(200, { status: "healthy", version: cluster.version }),
    "/health/ready": () => readiness(cluster),
  };
  const listener: RequestListener = (req, res) => {
    const route = routes[(req.url ?? "").split("?", 1)[0] ?? ""];
    respond(req, res, route).catch((error: unknown) => {
      cluster.log.error({ error }, "the metrics port failed to answer");
      res.destroy();
    });
  };
  const server = createServer({ requireHostHeader: false }, listener);
  // Nobody expects anything of this port; Node would answer without a body.
  server.on("checkExpectation", listener);
  answerProtocolErrors(server, cluster.log);
  return server;
}

async function respond(
  req: IncomingMessage,
  res: ServerResponse,
  route: (() => Answer | Promise<Answer>) | undefined,
): Promise<void> {
  const { requestId, correlationId } = requestIds(req.headers);
  let answer: Answer;
  if (!hasOneHost(req)) answer = refuse(400, "VALIDATION_ERROR", ONE_HOST, requestId);
  else if (!route) answer = refuse(404, "NOT_FOUND", "no such route", requestId);
  else if (req.method === "GET" || req.method === "HEAD") answer = await route();
  else {
    res.setHeader("Allow", "GET, HEAD");
    answer = refuse(405, "METHOD_NOT_ALLOWED", "use GET", requestId);
  }
  res.writeHead(answer.status, {
    "Content-Type": answer.type,
    "Content-Length": Buffer.byteLength(answer.body),
    "X-Request-ID": requestId,
    "X-Correlation-ID": correlationId,
  });
  res.end(req.method === "HEAD" ? undefined : answer.body);
}

function json(status: number, body: object): Answer {
  return { status, type: "application/json; charset=utf-8", body: JSON.stringify(body) };
}

function refuse(status: number, code: string, message: string, id: string): Answer {
  return { ...json(status, {}), body: errorText(code, message, id) };
}

async function metrics(cluster: Cluster): Promise<Answer> {
  const { expose } = await import("./exposition.ts");
  return { status: 200, ...(await expose(cluster)) };
}

/** Ready while at least one web worker is; a check is healthy when one that has it says so. */
function readiness(cluster: Cluster): Answer {
  const oldest = performance.now() - FRESH_BEATS * BEAT_INTERVAL * 1_000;
  const beats = alive(cluster).flatMap(({ pool, beat, lastBeatAt }) =>
    beat && lastBeatAt > oldest ? [{ ...beat.readiness, role: pool.role }] : [],
  );
  const checks: Record<string, "healthy" | "unhealthy"> = {};
  for (const report of beats) {
    for (const [name, state] of Object.entries(report.checks)) {
      if (checks[name] !== "healthy") checks[name] = state;
    }
  }
  const ready =
    !cluster.stopping && beats.some(({ role, ready: serves }) => role === "web" && serves);
  return json(ready ? 200 : 503, { status: ready ? "ready" : "not_ready", checks });
}
