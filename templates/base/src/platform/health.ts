import { z } from "zod";
import { asError } from "./errors.ts";
import type { ReadinessCheck } from "./lifespan.ts";
import type { Logger } from "./logging.ts";
import { defineRoute, reply, type Route } from "./route.ts";
import { withTimeout } from "./timing.ts";

export type { ReadinessCheck } from "./lifespan.ts";

export type Health = "healthy" | "unhealthy";

export interface ReadinessReport {
  ready: boolean;
  checks: Record<string, Health>;
}

/** The cached answers of the checks, and whether this worker wants requests. */
export interface Readiness extends Disposable {
  report(): ReadinessReport;
  /** From now on, ready depends on the checks alone. */
  markReady(): void;
  /** From now on, never ready again. */
  markDraining(): void;
}

const INTERVAL_MS = 5_000;
const TIMEOUT_MS = 2_000;

/**
 * Runs the checks now and every five seconds, each with its own time-out, so that a probe never waits for one.
 * A change is logged once, not at every try. Not ready until `markReady`.
 */
export async function startReadiness(
  checks: readonly ReadinessCheck[],
  log: Logger,
): Promise<Readiness> {
  const state = new Map<string, Health>();
  let accepting = false;

  const runOne = async ({ name, critical, check }: ReadinessCheck): Promise<void> => {
    const error = await withTimeout(Promise.try(check), TIMEOUT_MS).then(() => undefined, asError);
    const now: Health = error === undefined ? "healthy" : "unhealthy";
    if (state.get(name) !== now) {
      const fields = { dependency: name, critical, error };
      if (error !== undefined) log.error(fields, `dependency ${name} is unhealthy`);
      else if (state.has(name)) log.info(fields, `dependency ${name} is healthy again`);
    }
    state.set(name, now);
  };
  const runAll = (): Promise<unknown> => Promise.all(checks.map(runOne));

  await runAll();
  const timer = setInterval(() => void runAll(), INTERVAL_MS).unref();
  return {
    report() {
      const broken = checks.some(({ name, critical }) => critical && state.get(name) !== "healthy");
      return { ready: accepting && !broken, checks: Object.fromEntries(state) };
    },
    markReady: () => void (accepting = true),
    markDraining() {
      accepting = false;
      clearInterval(timer);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

const healthSchema = z.object({ status: z.literal("healthy"), version: z.string() });
const checksSchema = z.record(z.string(), z.enum(["healthy", "unhealthy"]));
const versionSchema = z.object({
  service: z.string(),
  version: z.string(),
  environment: z.string(),
});

/** Whether a path or a route is a probe's. Probes come every few seconds, and are neither logged nor traced. */
export function isProbe(path: string): boolean {
  return path === "/health" || path.startsWith("/health/");
}

/** The probes of the standard. None of them waits for a dependency. */
export function healthRoutes(
  settings: { SERVICE_NAME: string; VERSION: string; ENVIRONMENT: string },
  readiness: Readiness,
): Route[] {
  return [
    defineRoute({
      method: "GET",
      path: "/health",
      summary: "Is the process alive?",
      tags: ["health"],
      responses: { 200: healthSchema },
      handler: () => ({ status: "healthy" as const, version: settings.VERSION }),
    }),
    defineRoute({
      method: "GET",
      path: "/health/ready",
      summary: "Does the service want requests?",
      tags: ["health"],
      responses: {
        200: z.object({ status: z.literal("ready"), checks: checksSchema }),
        503: z.object({ status: z.literal("not_ready"), checks: checksSchema }),
      },
      handler() {
        const { ready, checks } = readiness.report();
        return ready
          ? reply(200, { status: "ready" as const, checks })
          : reply(503, { status: "not_ready" as const, checks });
      },
    }),
    defineRoute({
      method: "GET",
      path: "/health/version",
      summary: "Which version runs here?",
      tags: ["health"],
      responses: { 200: versionSchema },
      handler: () => ({
        service: settings.SERVICE_NAME,
        version: settings.VERSION,
        environment: settings.ENVIRONMENT,
      }),
    }),
  ];
}
