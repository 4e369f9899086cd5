import { autopsy } from "./autopsy.ts";
import { MAX_REQUEST_IDS } from "./messages.ts";
import { type Cluster, kill, type Worker } from "./state.ts";

/** Kills the workers whose time is up: silent for the timeout, too slow to boot, or too slow to go. */
export function murder(cluster: Cluster): void {
  const now = performance.now();
  const { timeout } = cluster.plan;
  for (const worker of cluster.workers) {
    if (worker.phase === "killed") continue;
    const silent = (now - worker.lastBeatAt) / 1_000;
    if (worker.wasReady && timeout > 0 && silent > timeout) {
      cluster.counts.hangs += 1;
      void executeWithReport(cluster, worker, "hang", `no sign of life for ${silent.toFixed(1)} s`);
    } else if (now > worker.killAt && worker.phase === "booting") {
      void executeWithReport(cluster, worker, "boot_timeout", "not ready within the boot time-out");
    } else if (now > worker.killAt) {
      cluster.log.error(describe(worker), "worker did not finish in time: killed");
      kill(worker, "graceful_timeout");
    }
  }
}

/** Logs where the worker's JavaScript stands and for whom it works, as one line, and kills it. */
async function executeWithReport(
  cluster: Cluster,
  worker: Worker,
  reason: "hang" | "boot_timeout",
  what: string,
): Promise<void> {
  worker.phase = "killed";
  const found = await autopsy(worker.child.pid ?? 0, worker.inspectPort);
  const requests = found?.requests ?? worker.beat?.requests ?? [];
  cluster.log.error(
    {
      ...describe(worker),
      stack: found?.stack ?? [],
      request_ids: requests.slice(0, MAX_REQUEST_IDS),
    },
    `worker killed: ${what}`,
  );
  kill(worker, reason);
}

function describe({ slot, child }: Worker): object {
  return { worker: slot, worker_pid: child.pid };
}
