import type { Instance, Launch, Target } from "../../../src/verify/target.ts";
import { PROBES } from "./probes.ts";
import { RECEIPT } from "./receipt.ts";

/** What the suite is told of a generated service that runs. */
export function targetOf(instance: Instance, launch: Launch): Target {
  return {
    url: instance.url,
    metricsUrl: instance.metricsUrl,
    jsonRoute: { path: "/api/v1/receipts/points", valid: RECEIPT },
    probes: PROBES,
    output: instance.output,
    launch,
  };
}
