import { type Check, type Result, runCheck } from "./check.ts";
import { bodyChecks } from "./checks/bodies.ts";
import { corsChecks } from "./checks/cors.ts";
import { dependencyChecks } from "./checks/dependencies.ts";
import { docsChecks } from "./checks/docs.ts";
import { errorChecks } from "./checks/errors.ts";
import { healthChecks } from "./checks/health.ts";
import { idChecks } from "./checks/ids.ts";
import { logChecks } from "./checks/logs.ts";
import { metricsChecks } from "./checks/metrics.ts";
import { openapiChecks } from "./checks/openapi.ts";
import { pathChecks } from "./checks/paths.ts";
import { processChecks } from "./checks/process.ts";
import { protocolChecks } from "./checks/protocol.ts";
import { settingsChecks } from "./checks/settings.ts";
import { telemetryChecks } from "./checks/telemetry.ts";
import type { Target } from "./target.ts";

/** The whole contract. Most of it needs nothing but the service's address. */
export const CHECKS: readonly Check[] = [
  ...healthChecks,
  ...metricsChecks,
  ...docsChecks,
  ...openapiChecks,
  ...idChecks,
  ...corsChecks,
  ...errorChecks,
  ...bodyChecks,
  ...pathChecks,
  ...protocolChecks,
  ...logChecks,
  ...telemetryChecks,
  ...settingsChecks,
  ...processChecks,
  // Last: they take away what the service depends on.
  ...dependencyChecks,
];

/** Around a run of the contract. */
export interface RunOptions {
  /** Told of each check before it runs. */
  onCheck?: (check: Check, index: number) => void;
  /** Ends the run early. */
  signal?: AbortSignal;
}

/** Runs checks against a service, one after the other, for their experiments must not disturb each other. */
export async function runContract(
  target: Target,
  checks: readonly Check[] = CHECKS,
  { onCheck, signal }: RunOptions = {},
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [index, check] of checks.entries()) {
    onCheck?.(check, index);
    results.push(await runCheck(check, target, signal));
    signal?.throwIfAborted();
  }
  return results;
}

/**
 * The checks whose names begin with one of `only`, when there are any, and with none of `skip`.
 * @returns what no check begins with, too, because it was surely not meant.
 */
export function chooseChecks(
  only: readonly string[],
  skip: readonly string[],
): { checks: Check[]; unknown: string[] } {
  const checks = CHECKS.filter(
    (check) => (only.length === 0 || beginsWith(check, only)) && !beginsWith(check, skip),
  );
  const unknown = [...only, ...skip].filter(
    (name) => !CHECKS.some((check) => beginsWith(check, [name])),
  );
  return { checks, unknown };
}

function beginsWith({ id }: Check, names: readonly string[]): boolean {
  return names.some((name) => id.startsWith(name));
}

/** What the names of checks begin with: `health`, `errors`, … */
export function areas(): string[] {
  return [...new Set(CHECKS.map(({ id }) => id.split(".")[0] ?? ""))];
}
