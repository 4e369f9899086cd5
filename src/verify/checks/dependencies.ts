import { type Check, needed } from "../check.ts";
import { eventually } from "../eventually.ts";
import { expectJson } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import type { Dependency, Target } from "../target.ts";
import { send } from "../wire/send.ts";
import { expectAlive } from "./steps.ts";

/** What the service says of what it depends on. For a target whose dependencies can be taken away. */
export const dependencyChecks: Check[] = [
  {
    id: "dependencies.all-reported",
    sentence: STANDARD.ready,
    async run(target) {
      const dependencies = needed(target.dependencies, "dependencies");
      await settled(target, 200, "ready", healthOf(dependencies));
    },
  },
  {
    id: "dependencies.critical",
    sentence: STANDARD.ready,
    run: (target) => takeAwayEach(target, true, 503, "not_ready"),
  },
  {
    id: "dependencies.optional",
    sentence: STANDARD.ready,
    run: (target) => takeAwayEach(target, false, 200, "ready"),
  },
];

/** Takes away one dependency after the other; each time the service says so on both ports, lives, and recovers. */
async function takeAwayEach(
  target: Target,
  critical: boolean,
  status: number,
  word: string,
): Promise<void> {
  const dependencies = needed(target.dependencies, "dependencies");
  for (const gone of dependencies.filter((dependency) => dependency.critical === critical)) {
    await gone.stop();
    try {
      await settled(target, status, word, healthOf(dependencies, gone));
      await expectAlive(target);
    } finally {
      // Whatever was found, the checks after this one need the dependency.
      await gone.start();
    }
    await settled(target, 200, "ready", healthOf(dependencies));
  }
}

function healthOf(dependencies: Dependency[], gone?: Dependency): Record<string, string> {
  return Object.fromEntries(
    dependencies.map((one) => [one.name, one === gone ? "unhealthy" : "healthy"]),
  );
}

/**
 * Waits until all workers agree on a report, and the metrics port with them: until many answers in a row, over new
 * connections, are the same. The metrics port may hear of it later, it is told by the workers.
 */
async function settled(
  { url, metricsUrl }: Target,
  status: number,
  word: string,
  checks: Record<string, string>,
): Promise<void> {
  const IN_A_ROW = 20;
  let same = 0;
  await eventually(`${word} with ${JSON.stringify(checks)}`, async () => {
    const response = await send(url, "/health/ready");
    const said = response.json() as { checks: Record<string, string> };
    const asWanted = Object.entries(checks).every(([name, state]) => said.checks[name] === state);
    same = response.status === status && asWanted ? same + 1 : 0;
    return same >= IN_A_ROW || undefined;
  });
  expectJson(await send(url, "/health/ready"), status, { status: word, checks });
  if (metricsUrl === undefined) return;
  await eventually(`${status} of /health/ready on the metrics port`, async () => {
    const response = await send(metricsUrl, "/health/ready");
    // A service need not answer probes on this port.
    return response.status === status || response.status === 404 || undefined;
  });
}
