import type { Registry } from "@prometheus-io/client";
import { integrations } from "./integrations/index.ts";
import { createHttpClient, type HttpClient } from "./platform/http-client.ts";
import { type ClientsOf, type Lifespan, openLifespan } from "./platform/lifespan.ts";
import type { Logger } from "./platform/logging.ts";
import type { Settings } from "./settings.ts";

/** Everything that a route's handler may use. It gets them as `deps`; nothing is global. */
export interface Deps extends ClientsOf<typeof integrations> {
  settings: Settings;
  log: Logger;
  /** For metrics of your own: `new Counter({ …, registers: [metrics] })`. */
  metrics: Registry;
  http: HttpClient;
}

/**
 * Opens the dependencies in order; disposing of the result closes them in reverse.
 * @param overrides what to use instead, as FastAPI's `dependency_overrides`: it is neither opened nor closed here.
 */
export function createDeps(
  settings: Settings,
  log: Logger,
  metrics: Registry,
  overrides: Partial<Deps> = {},
): Promise<Lifespan<Deps>> {
  return openLifespan<Deps>(overrides, async (lifespan) => ({
    settings,
    log,
    metrics,
    http: await lifespan.open("http", () => createHttpClient()),
    ...(await lifespan.openAll(integrations, settings, log, metrics)),
  }));
}

// Gives every handler its types: the platform imports nothing from here.
declare module "./platform/lifespan.ts" {
  interface Register {
    deps: Deps;
  }
}
