import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { type Result, runCheck } from "../../src/verify/check.ts";
import { CHECKS } from "../../src/verify/run-contract.ts";
import type { Dependency, Instance, LaunchOptions, Target } from "../../src/verify/target.ts";

/** A service in this process, as sound or as unsound as a test of the checks wants it. */
export interface Fake {
  /** Answers on the port of the service. */
  answer?: RequestListener;
  /** Answers on the port of the metrics. */
  metrics?: RequestListener;
  /** For what never becomes a request. */
  prepare?: (server: Server) => void;
  /** What it has logged so far. */
  log?: () => string[];
  /** How it ends: at once when it refuses to start, else at a signal. */
  exitCode?: number;
  refusesToStart?: boolean;
  /** What it depends on. */
  dependencies?: Dependency[];
}

const PROBE = "/probe";

/** What becomes of one check when the service, and every further instance, is what `make` makes. */
export async function resultAgainst(
  id: string,
  make: (options: LaunchOptions) => Fake,
): Promise<Result> {
  const check = CHECKS.find((one) => one.id === id);
  if (check === undefined) throw new Error(`there is no check ${id}`);
  const fake = make({});
  const instance = await start(fake);
  const target: Target = {
    url: instance.url,
    metricsUrl: instance.metricsUrl,
    output: instance.output,
    jsonRoute: { path: "/json", valid: {} },
    probes: {
      ...{ failing: [], brokenResponse: PROBE, bodiless: PROBE, hanging: PROBE, calling: PROBE },
      secret: "none",
    },
    launch: (options = {}) => start(make(options)),
    ...(fake.dependencies && { dependencies: fake.dependencies }),
  };
  try {
    return await runCheck(check, target);
  } finally {
    await instance.stop();
  }
}

async function start(fake: Fake): Promise<Instance> {
  const { answer = (_req, res) => void res.end("{}"), log = () => [], exitCode = 0 } = fake;
  const servers = [createServer(answer), createServer(fake.metrics ?? answer)];
  for (const server of servers) {
    fake.prepare?.(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
  }
  const [url = "", metricsUrl = ""] = servers.map(
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  );
  const end = Promise.withResolvers<void>();
  if (fake.refusesToStart) end.resolve();
  return {
    ...{ url, metricsUrl },
    pid: 0,
    output: async () => log(),
    allOutput: () => log().join("\n"),
    workerPids: () => [],
    signal: () => end.resolve(),
    exited: end.promise.then(() => ({ code: exitCode, signal: null })),
    async stop() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

/** The standard's error body, as text. */
export function errorBody(code: string, message: string, requestId: string): string {
  const timestamp = new Date().toISOString();
  return JSON.stringify({ error: { code, message, request_id: requestId, timestamp } });
}
