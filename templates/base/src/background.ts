import { createDeps } from "./deps.ts";
import { integrations } from "./integrations/index.ts";
import { startBackgroundWork } from "./platform/background.ts";
import type { WorkerService } from "./platform/cluster/service.ts";
import { startReadiness } from "./platform/health.ts";
import type { Logger } from "./platform/logging.ts";
import { createMetrics } from "./platform/metrics.ts";
import { startTelemetry } from "./platform/telemetry.ts";
import type { Settings } from "./settings.ts";

/**
 * Starts the process for the work beside the requests: what worker.ts does, with that work in the place of the app.
 * @throws what the failing step threw, after closing what was open.
 */
export async function startBackground(settings: Settings, log: Logger): Promise<WorkerService> {
  await using stack = new AsyncDisposableStack();
  stack.use(startTelemetry(settings));
  const { registry } = createMetrics();
  const lifespan = stack.use(await createDeps(settings, log, registry));
  const work = stack.use(startBackgroundWork(integrations, lifespan.deps));
  const readiness = stack.use(await startReadiness([...lifespan.checks, ...work.checks], log));
  readiness.markReady();

  const opened = stack.move();
  return {
    beginDrain({ stopping }) {
      if (stopping) readiness.markDraining();
    },
    close: () => opened.disposeAsync(),
    readiness: () => readiness.report(),
    metricsSnapshot: () => registry.getMetricsAsJSON(),
    requestsInFlight: () => [],
    onRequestFinished() {},
  };
}
