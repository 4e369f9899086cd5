import { join } from "node:path";

import { Launcher } from "../../../src/verify/launch.ts";
import { parseExposition, sumOf } from "../../../src/verify/prometheus.ts";
import type { Instance, Launch } from "../../../src/verify/target.ts";
import { send } from "../../../src/verify/wire/send.ts";
import { PROBES_SWITCH } from "./probes.ts";

/** Starts instances of the built service in `folder`. */
export function launcherOf(folder: string): Launch {
  const { launch } = new Launcher({
    program: process.execPath,
    args: [join(folder, "dist/main.js")],
    folder,
    // Only what is asked for: the variables of whoever runs the suite are not for the service.
    environment: { PATH: process.env["PATH"], [PROBES_SWITCH]: "1" },
    isReady: hasAllWorkers,
  });
  return launch;
}

/** Asks the metrics, because the log's level may be too high to say it, and probes would be counted. */
async function hasAllWorkers({ metricsUrl }: Instance): Promise<boolean> {
  try {
    const page = parseExposition((await send(metricsUrl, "/metrics")).text);
    const running = page.samples.find(
      ({ name, labels }) => name === "cluster_workers" && labels["phase"] === "ready",
    );
    return running?.value === sumOf(page, "cluster_workers_desired");
  } catch {
    return false;
  }
}
