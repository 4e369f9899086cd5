import { increment } from "./counts.ts";
import { callHook } from "./hooks.ts";
import { halt } from "./halt.ts";
import { abandonReload } from "./reload.ts";
import type { Cluster, Worker } from "./state.ts";

/** The exit code of a service that cannot start; Gunicorn's WORKER_BOOT_ERROR. */
export const BOOT_FAILURE = 3;

const WITHOUT_SUCCESSOR = new Set(["scale_down", "rollback"]);

/** Takes a dead worker out of the books: keeps its counters, says why it died, and decides what follows. */
export async function reap(
  cluster: Cluster,
  worker: Worker,
  code: number | null,
  signal: NodeJS.Signals | null,
): Promise<void> {
  worker.phase = "killed";
  // Folded first, then forgotten: a scrape in between must not see the totals go down.
  if (worker.snapshot) {
    const { fold } = await import("./exposition.ts");
    cluster.history = await fold(cluster.history, worker.snapshot);
  }
  cluster.workers.delete(worker);
  const reason = reasonOf(cluster, worker, code, signal);
  report(cluster, worker, code, signal, reason);
  await callHook(cluster, "workerExit", {
    worker: worker.slot,
    pid: worker.child.pid,
    code,
    signal,
    reason,
  });
  if (cluster.stopping) return;

  if (!WITHOUT_SUCCESSOR.has(reason)) increment(cluster.counts.restarts, reason);
  if (worker.outdated) return; // It was to go in any case.
  // A signal from outside says nothing about the release: that worker gets another try.
  if (!worker.wasReady && !cluster.started && (signal === null || worker.killReason)) {
    cluster.log.fatal("a worker failed to start: the service stops");
    halt(cluster, "quick", BOOT_FAILURE);
    return;
  }
  if (!worker.wasReady && cluster.reload) abandonReload(cluster, reason);
  const wait = worker.pool.backoff.fail(performance.now() - worker.bornAt);
  worker.pool.spawnAfter = performance.now() + wait;
  setTimeout(() => cluster.inbox.put({ type: "wake" }), wait);
}

function reasonOf(
  { stopping }: Cluster,
  worker: Worker,
  code: number | null,
  signal: NodeJS.Signals | null,
): string {
  if (worker.killReason) return worker.killReason;
  if (worker.outdated) return worker.outdated;
  if (stopping && code === 0) return "stop";
  if (!worker.wasReady) return "boot_failure";
  if (signal) return signal === "SIGKILL" ? "sigkill" : "signal";
  return code === 0 ? "exit" : "crash";
}

function report(
  { log }: Cluster,
  worker: Worker,
  code: number | null,
  signal: NodeJS.Signals | null,
  reason: string,
): void {
  const { slot, pool, child } = worker;
  const fields = { worker: slot, role: pool.role, worker_pid: child.pid, code, signal, reason };
  if (signal === "SIGKILL" && !worker.killReason) {
    log.error(fields, "worker was killed with SIGKILL; out of memory?");
  } else if (worker.outdated === reason || reason === "stop") {
    log.info(fields, "worker exited");
  } else {
    log.error(fields, `worker died: ${signal ? `signal ${signal}` : `exit code ${code}`}`);
  }
}
