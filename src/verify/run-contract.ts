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

/**
 * Runs checks against a service, one after the other, for their experiments must not disturb each other.
 * @param onResult told of each result as it comes.
 */
export async function runContract(
  target: Target,
  checks: readonly Check[] = CHECKS,
  onResult: (result: Result) => void = () => {},
): Promise<Result[]> {
  const results: Result[] = [];
  for (const check of checks) {
    const result = await runCheck(check, target);
    results.push(result);
    onResult(result);
  }
  return results;
}
