import type { App } from "../app.ts";
import type { WorkerService } from "../cluster/protocol.ts";
import type { DependencyOverrides, DependencyScope } from "../depends.ts";
import { startReadiness } from "../health.ts";
import { type Platform, RequestTracker } from "../http/requests.ts";
import { type Lifespan, type ServiceDeps, startBackgroundWork } from "../lifespan.ts";
import type { Logger, Output } from "../logging.ts";
import { createMetrics, type Metrics } from "../metrics.ts";
import { createAccessLog } from "../observability/access-log.ts";
import { startTelemetry } from "../observability/telemetry.ts";

type CreateDeps = (
  settings: ServiceDeps["settings"],
  log: Logger,
  metrics: Metrics["registry"],
  overrides?: Partial<ServiceDeps>,
) => Promise<Lifespan<ServiceDeps>>;

/** The service's modules that a process with requests loads. */
export interface WebModules {
  deps(): Promise<{ createDeps: CreateDeps }>;
  app(): Promise<{ createApp(deps: ServiceDeps, platform: Platform): App | Promise<App> }>;
}

/** The service's modules that the process for background work loads: not the app. */
export interface BackgroundModules extends Pick<WebModules, "deps"> {
  integrations(): Promise<{ integrations: object }>;
}

/** What tests use instead of the real thing, and what else a worker does that is alone. */
export interface WebOptions {
  /** Their work beside the requests is done here, and not in a process of its own. */
  integrations?: object;
  deps?: Partial<ServiceDeps>;
  dependencyOverrides?: DependencyOverrides;
  /** Where the access lines go. */
  output?: Output;
}

/** The worker's service, and what tests look at. */
export interface WebService extends WorkerService {
  server: NonNullable<WorkerService["server"]>;
  deps: ServiceDeps;
  metrics: Metrics;
  /** Writes out the access lines that still wait. */
  flush(): void;
}

/** What both kinds of worker open first, in order, and the service that they make of it. */
async function openCommon(
  stack: AsyncDisposableStack,
  createDeps: CreateDeps,
  settings: ServiceDeps["settings"],
  log: Logger,
  { integrations = {}, deps: overrides }: Pick<WebOptions, "integrations" | "deps">,
) {
  const metrics = createMetrics();
  stack.use(startTelemetry(settings, log, metrics.registry));
  const lifespan = stack.use(await createDeps(settings, log, metrics.registry, overrides));
  const { deps } = lifespan;
  const work = stack.use(startBackgroundWork(integrations, deps));
  const readiness = stack.use(await startReadiness([...lifespan.checks, ...work.checks], log));
  const service: Omit<WorkerService, "close"> = {
    // A worker that is only replaced leaves a service behind that is as ready as before.
    beginDrain: ({ stopping }) => void (stopping && readiness.markDraining()),
    readiness: () => readiness.report(),
    metricsSnapshot: () => metrics.registry.getMetricsAsJSON(),
    requestsInFlight: () => [],
    onRequestFinished() {},
  };
  return { deps, metrics, readiness, service };
}

/**
 * Starts everything a worker needs, in order: telemetry, dependencies, readiness, the app. The cluster listens.
 * @throws what the failing step threw, after closing what was open.
 */
export async function startWeb(
  modules: WebModules,
  settings: ServiceDeps["settings"],
  log: Logger,
  options: WebOptions = {},
): Promise<WebService> {
  const [{ createDeps }, { createApp }, { mount }] = await Promise.all([
    modules.deps(),
    modules.app(),
    import("../app.ts"),
  ]);
  await using stack = new AsyncDisposableStack();
  const opening = openCommon(stack, createDeps, settings, log, options);
  const { deps, metrics, readiness, service } = await opening;
  const accessLog = stack.use(createAccessLog(settings, options.output));
  const requests = new RequestTracker(log, accessLog, metrics, settings);
  const scopes = new Set<DependencyScope>();
  const { dependencyOverrides = new Map() } = options;
  const documented: Platform["documented"] = [];
  const platform = { deps, requests, readiness, dependencyOverrides, documented, scopes };
  const app = await createApp(deps, platform);
  const { server, close } = await mount(app);
  // The app's onClose hooks run while its dependencies are still open.
  stack.defer(close);
  // First of all, as what is closed after it is what requests use, and what tells of them.
  stack.defer(async () => {
    const reason = requests.abandon();
    await Promise.all([...scopes].map((scope) => scope.stop(reason)));
  });
  // Two schemas with one id, or two operations: found here, and not by the first reader of the documentation.
  if (settings.ENVIRONMENT === "dev") {
    (await import("../http/openapi.ts")).openApiDocument(settings, documented);
  }
  server.once("listening", () => readiness.markReady());

  const opened = stack.move();
  return {
    ...service,
    server,
    deps,
    metrics,
    flush: () => accessLog.flush(),
    beginDrain(how) {
      service.beginDrain(how);
      requests.closeConnections();
    },
    close: () => opened.disposeAsync(),
    requestsInFlight: () => requests.inFlight(),
    onRequestFinished: (listener) => requests.onFinished(listener),
  };
}

/** Starts the process for background work: what `startWeb` does, with that work in the place of the app. */
export async function startBackground(
  modules: BackgroundModules,
  settings: ServiceDeps["settings"],
  log: Logger,
): Promise<WorkerService> {
  const { createDeps } = await modules.deps();
  const { integrations } = await modules.integrations();
  await using stack = new AsyncDisposableStack();
  const opening = openCommon(stack, createDeps, settings, log, { integrations });
  const { readiness, service } = await opening;
  readiness.markReady();

  const opened = stack.move();
  return { ...service, close: () => opened.disposeAsync() };
}
