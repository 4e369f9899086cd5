import type { App, Platform } from "../app.ts";
import type { WorkerService } from "../cluster/service.ts";
import { startReadiness } from "../health.ts";
import { createServer } from "../http/node-http.ts";
import { refuseExpectation } from "../http/refusals.ts";
import { createRequests } from "../http/requests.ts";
import type { ServiceDeps, Lifespan } from "../lifespan.ts";
import type { Logger } from "../logging.ts";
import { createMetrics, type Metrics } from "../metrics.ts";
import { createAccessLog } from "../observability/access-log.ts";
import { startTelemetry } from "../observability/telemetry.ts";

/** The service's modules that a process with requests loads. */
export interface WebModules {
  deps(): Promise<{
    createDeps(
      settings: ServiceDeps["settings"],
      log: Logger,
      metrics: Metrics["registry"],
    ): Promise<Lifespan<ServiceDeps>>;
  }>;
  app(): Promise<{ createApp(deps: ServiceDeps, platform: Platform): App | Promise<App> }>;
}

/**
 * Starts everything a worker needs, in order: telemetry, dependencies, readiness, the app. The cluster listens.
 * @throws what the failing step threw, after closing what was open.
 */
export async function startWeb(
  modules: WebModules,
  settings: ServiceDeps["settings"],
  log: Logger,
): Promise<WorkerService> {
  const [{ createDeps }, { createApp }] = await Promise.all([modules.deps(), modules.app()]);
  await using stack = new AsyncDisposableStack();
  const metrics = createMetrics();
  stack.use(startTelemetry(settings, log, metrics.registry));
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
