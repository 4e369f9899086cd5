import { createApp } from "./app.ts";
import { createDeps } from "./deps.ts";
import { createAccessLog } from "./platform/access-log.ts";
import type { WorkerService } from "./platform/cluster/service.ts";
import { startReadiness } from "./platform/health.ts";
import type { Logger } from "./platform/logging.ts";
import { createMetrics } from "./platform/metrics.ts";
import { createServer } from "./platform/node-http.ts";
import { refuseExpectation } from "./platform/refusals.ts";
import { createRequests } from "./platform/requests.ts";
import { startTelemetry } from "./platform/telemetry.ts";
import type { Settings } from "./settings.ts";

/**
 * Starts everything a worker needs, in order: telemetry, dependencies, readiness, the app. The cluster listens.
 * @throws what the failing step threw, after closing what was open.
 */
export async function startService(settings: Settings, log: Logger): Promise<WorkerService> {
  await using stack = new AsyncDisposableStack();
  stack.use(startTelemetry(settings));
  const metrics = createMetrics();
  const lifespan = stack.use(await createDeps(settings, log, metrics.registry));
  const readiness = stack.use(await startReadiness(lifespan.checks, log));
  const accessLog = stack.use(createAccessLog(settings));
  const requests = createRequests(accessLog, metrics, settings.OTEL_TRACES_SAMPLER_ARG);
  const app = await createApp(lifespan.deps, { requests, readiness });
  const server = createServer(app.serverOptions, app.listener);
  // Node would refuse it without a body.
  server.on("checkExpectation", requests.track(refuseExpectation));
  server.once("listening", () => readiness.markReady());

  const opened = stack.move();
  return {
    server,
    beginDrain({ stopping }) {
      // A worker that is only replaced leaves a service behind that is as ready as before.
      if (stopping) readiness.markDraining();
      requests.closeConnections();
    },
    close: () => opened.disposeAsync(),
    readiness: () => readiness.report(),
    metricsSnapshot: () => metrics.registry.getMetricsAsJSON(),
    requestsInFlight: () => requests.inFlight(),
    onRequestFinished: (listener) => requests.onFinished(listener),
  };
}
