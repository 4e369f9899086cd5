import type { RequestListener } from "node:http";
import { type InjectOptions, inject, type Response } from "light-my-request";
import { createAccessLog } from "../src/platform/observability/access-log.ts";
import { createApp } from "../src/app.ts";
import { createDeps, type Deps } from "../src/deps.ts";
import { assembleApp, type Middleware } from "../src/platform/app.ts";
import { cors } from "../src/platform/http/cors.ts";
import { startReadiness } from "../src/platform/health.ts";
import { createLogger } from "../src/platform/logging.ts";
import { createMetrics, type Metrics } from "../src/platform/metrics.ts";
import { createRequests, type Requests } from "../src/platform/http/requests.ts";
import type { Route } from "../src/platform/route.ts";
import { loadSettings } from "../src/settings.ts";
import { createFakes } from "./integrations/index.ts";

export interface TestApp extends AsyncDisposable {
  /** Sends a request through the whole service, in process and without a port. */
  inject(request: InjectOptions): Promise<Response>;
  /** The service itself, for a server of its own. */
  listener: RequestListener;
  /** The log lines so far, parsed. */
  logs: Record<string, unknown>[];
  metrics: Metrics;
  requests: Requests;
}

interface TestAppOptions {
  /** Environment variables; everything else has its default. */
  env?: Record<string, string>;
  /** Dependencies to use instead of the real ones; an integration has a fake in its place anyway. */
  deps?: Partial<Deps>;
  /** Routes to serve instead of the service's own. */
  routes?: Route[];
  /** What runs before these routes. */
  middleware?: Middleware[];
}

/** The whole service without network, log output and telemetry: `await using app = await createTestApp()`. */
export async function createTestApp({
  env = {},
  deps = {},
  routes,
  middleware = [],
}: TestAppOptions = {}): Promise<TestApp> {
  const logs: TestApp["logs"] = [];
  const settings = loadSettings(env);
  const destination = {
    write: (lines: string) => {
      for (const line of lines.trimEnd().split("\n")) logs.push(JSON.parse(line));
    },
  };
  const log = createLogger(settings, destination);
  const metrics = createMetrics();
  const lifespan = await createDeps(settings, log, metrics.registry, {
    ...createFakes(),
    ...deps,
  });
  const readiness = await startReadiness(lifespan.checks, log);
  readiness.markReady();
  const accessLog = createAccessLog(settings, destination);
  const requests = createRequests(accessLog, metrics, settings.OTEL_TRACES_SAMPLER_ARG);
  const platform = { requests, readiness };
  const { listener } =
    routes === undefined
      ? await createApp(lifespan.deps, platform)
      : await assembleApp({
          deps: lifespan.deps,
          platform,
          middleware: [cors(settings.CORS_ORIGINS), ...middleware],
          routes,
        });
  return {
    listener,
    async inject(request) {
      const response = await inject((req, res) => listener(pin(req), pin(res)), request);
      accessLog.flush();
      return response;
    },
    logs,
    metrics,
    requests,
    async [Symbol.asyncDispose]() {
      readiness[Symbol.dispose]();
      accessLog[Symbol.dispose]();
      await lifespan[Symbol.asyncDispose]();
    },
  };
}

/** A framework may put other prototypes in place of light-my-request's, whose methods therefore move to the objects. */
function pin<Simulated extends object>(simulated: Simulated): Simulated {
  const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(
    Object.getPrototypeOf(simulated),
  );
  return Object.defineProperties(simulated, methods);
}

/** What a client sees of an error answer. */
export interface ErrorAnswer {
  error: {
    code: string;
    message: string;
    request_id: string;
    timestamp: string;
    details?: { field: string; message: string }[];
  };
}

export function errorOf(response: Response): ErrorAnswer["error"] {
  return response.json<ErrorAnswer>().error;
}
