import { CLOSE_TIMEOUT } from "./messages.ts";
import type { Pool } from "./pool.ts";
import { spawn } from "./spawn.ts";
import { alive, type Cluster, drain, fresh, kill, type Worker } from "./state.ts";

/**
 * Brings the workers nearer to what is wanted: as many as desired, none of them outdated, and never fewer
 * ready than there were. Called after every event; does nothing when all is well.
 */
export async function manage(cluster: Cluster): Promise<void> {
  if (cluster.stopping) return;
  for (const pool of Object.values(cluster.pools)) {
    dismissSurplus(cluster, pool);
    await hire(cluster, pool);
    retireOutdated(cluster, pool);
  }
}

/** Too many (TTOU, a smaller WEB_CONCURRENCY): the oldest go, those that still boot before all others. */
function dismissSurplus(cluster: Cluster, pool: Pool): void {
  const kept = alive(cluster, pool).filter(({ outdated }) => outdated === undefined);
  const surplus = kept.toSorted(
    (a, b) => Number(a.wasReady) - Number(b.wasReady) || a.bornAt - b.bornAt,
  );
  for (const worker of surplus.slice(0, Math.max(0, kept.length - pool.desired))) {
    worker.outdated = "scale_down";
    retire(cluster, worker);
  }
}

async function hire(cluster: Cluster, pool: Pool): Promise<void> {
  if (performance.now() < pool.spawnAfter) return;
  const workers = alive(cluster, pool);
  const kept = workers.filter(({ outdated }) => outdated === undefined);
  // One worker more than usual while one is replaced; a reload brings up a whole second set.
  const room = cluster.reload?.wholeSet ? Infinity : pool.desired + 1 - workers.length;
  const missing = Math.min(pool.desired - kept.length, room);
  for (let count = 0; count < missing; count += 1) await spawn(cluster, pool);
}

function retireOutdated(cluster: Cluster, pool: Pool): void {
  const workers = alive(cluster, pool);
  const outdated = workers.filter((worker) => worker.outdated !== undefined);
  for (const worker of outdated.filter(({ wasReady }) => !wasReady)) retire(cluster, worker);

  const ready = workers.filter(({ wasReady }) => wasReady);
  const complete = fresh(cluster, pool).length >= pool.desired;
  const spare = cluster.reload?.wholeSet && !complete ? 0 : ready.length - pool.desired;
  const retirees = outdated.filter(({ wasReady }) => wasReady).slice(0, Math.max(0, spare));
  for (const worker of retirees) retire(cluster, worker);
}

function retire(cluster: Cluster, worker: Worker): void {
  // One that never served has nothing to finish.
  if (worker.wasReady) drain(worker, "replace", cluster.plan.gracefulTimeout + CLOSE_TIMEOUT);
  else kill(worker, worker.outdated ?? "scale_down");
}
