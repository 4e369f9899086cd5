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

/** What @fastify/cors and cors are told: the settings' origins, and the headers that callers may read. */
export function corsOptions(settings: { CORS_ORIGINS: string[]; CORS_CREDENTIALS: boolean }) {
  const { CORS_ORIGINS: origins, CORS_CREDENTIALS: credentials } = settings;
  return {
    origin: origins.includes("*") ? "*" : origins,
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    exposedHeaders: "X-Request-ID, X-Correlation-ID",
    credentials,
    maxAge: 600,
    // Its refusal would be text, and no error body of the standard.
    strictPreflight: false,
    optionsSuccessStatus: 204,
  };
}
