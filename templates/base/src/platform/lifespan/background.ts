import type { WorkerService } from "../cluster/protocol.ts";
import { startReadiness } from "../health.ts";
import { type ServiceDeps, startBackgroundWork } from "../lifespan.ts";
import type { Logger } from "../logging.ts";
import { createMetrics } from "../metrics.ts";
import { startTelemetry } from "../observability/telemetry.ts";
import type { WebModules } from "./web.ts";

/** The service's modules that the process for background work loads. */
export interface BackgroundModules extends Pick<WebModules, "deps"> {
  integrations(): Promise<{ integrations: object }>;
}

/**
 * Starts the process for background work: what web.ts does, with that work in the place of the app.
 * @throws what the failing step threw, after closing what was open.
 */
export async function startBackground(
  modules: BackgroundModules,
  settings: ServiceDeps["settings"],
  log: Logger,
): Promise<WorkerService> {
  const { createDeps } = await modules.deps();
  const { integrations } = await modules.integrations();
  await using stack = new AsyncDisposableStack();
  const { registry } = createMetrics();
  stack.use(startTelemetry(settings, log, registry));
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
