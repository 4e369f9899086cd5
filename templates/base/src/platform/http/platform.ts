import type { DependencyOverrides, DependencyScope } from "../depends.ts";
import type { Readiness } from "../health.ts";
import type { ServiceDeps } from "../lifespan.ts";
import type { Operation } from "./openapi.ts";
import type { RequestTracker } from "./requests.ts";

/** What the platform hands to `createApp`, for the functions of app.ts. */
export interface Platform {
  readonly deps: ServiceDeps;
  readonly requests: RequestTracker;
  readonly readiness: Readiness;
  /** What tests put in the place of per-request dependencies. */
  readonly dependencyOverrides: DependencyOverrides;
  /** What openapi.json describes, in the order of registration. */
  readonly documented: Operation[];
  /** Per-request dependencies that are not closed yet. */
  readonly scopes: Set<DependencyScope>;
}
