import { callHook } from "./hooks.ts";
import { manage } from "./manage.ts";
import type { ToPrimary } from "./messages.ts";
import { murder } from "./murder.ts";
import { reap } from "./reap.ts";
import { finishReload } from "./reload.ts";
import { alive, type Cluster, type Worker } from "./state.ts";

/** The one loop: takes what came in, brings the books up to date, and moves the workers towards what is wanted. */
export async function converge(
  cluster: Cluster,
  obeySignal: (signal: NodeJS.Signals) => Promise<void>,
): Promise<void> {
  while (!cluster.stopping || cluster.workers.size > 0) {
    const wait = waitFor(cluster);
    const before = performance.now();
    const events = await cluster.inbox.take(wait);
    forgiveOwnSleep(cluster, performance.now() - before - wait);
    for (const event of events) {
      if (event.type === "signal") await obeySignal(event.signal);
      if (event.type === "exit") await reap(cluster, event.worker, event.code, event.signal);
      if (event.type === "message") hear(cluster, event.worker, event.message);
    }
    murder(cluster);
    await manage(cluster);
    finishReload(cluster);
    await announce(cluster);
  }
}

/** Milliseconds until the deadlines must be looked at again. */
function waitFor({ plan, stopping }: Cluster): number {
  if (stopping) return 100;
  return plan.timeout > 0 ? Math.min(1_000, plan.timeout * 100) : 1_000;
}

/** A process that was stopped itself (SIGSTOP, a debugger, a frozen container) must not blame its workers. */
function forgiveOwnSleep(cluster: Cluster, overslept: number): void {
  if (overslept < 2_000) return;
  for (const worker of cluster.workers) worker.lastBeatAt += overslept;
}

function hear({ log }: Cluster, worker: Worker, message: ToPrimary): void {
  worker.lastBeatAt = performance.now();
  if (message.type === "ready" && worker.phase === "booting") {
    worker.phase = "ready";
    worker.wasReady = true;
    worker.killAt = Infinity;
    const { slot, pool, child } = worker;
    log.info({ worker: slot, role: pool.role, worker_pid: child.pid }, "worker ready");
  } else if (message.type === "beat") {
    worker.beat = message;
    worker.snapshot = message.metrics ?? worker.snapshot;
  } else if (message.type === "retire") {
    worker.outdated ??= message.reason;
    log.info({ worker: worker.slot, reason: message.reason }, "worker is to be replaced");
  }
}

async function announce(cluster: Cluster): Promise<void> {
  if (cluster.started || cluster.stopping) return;
  const { pools } = cluster;
  const missing = Object.values(pools).some(
    (pool) => alive(cluster, pool).filter(({ wasReady }) => wasReady).length < pool.desired,
  );
  if (missing) return;
  cluster.started = true;
  // Not before, so that the workers start sooner; and not when asked, as a new build may lie there by then.
  await import("./exposition.ts");
  cluster.log.info({ workers: pools.web.desired }, "service ready");
  await callHook(cluster, "whenReady");
}
