import type { DependencyScopes } from "../depends.ts";
import type { Readiness } from "../health.ts";
import type { ServiceDeps } from "../lifespan.ts";
import type { Operation } from "./openapi.ts";
import type { RequestTracker } from "./requests.ts";

/** What the platform hands to `createApp`, for the functions of app.ts. */
export interface Platform extends DependencyScopes {
  readonly deps: ServiceDeps;
  readonly requests: RequestTracker;
  readonly readiness: Readiness;
  /** What openapi.json describes, in the order of registration. */
  readonly documented: Operation[];
}
