import { increment } from "./counts.ts";
import type { ClusterPlan } from "./plan.ts";
import { alive, type Cluster, fresh, type Reload } from "./state.ts";

const MARKS = { reload: "reload", restart: "restart" } as const;

/** HUP: every worker there is now is to be replaced by those of `plan`, once a whole new set is ready. */
export function beginReload(cluster: Cluster, plan: ClusterPlan): void {
  const { web } = cluster.pools;
  // One that begins before the last is over goes back to what was good before both.
  const before = cluster.reload?.before ?? { plan: cluster.plan, workers: web.desired };
  cluster.plan = plan;
  web.desired = plan.workers;
  begin(cluster, { wholeSet: true, startedAt: performance.now(), before });
}

/** USR2: the same workers anew, one after the other, so that memory holds one more at most. */
export function beginRestart(cluster: Cluster): void {
  const before = cluster.reload?.before;
  begin(cluster, { wholeSet: false, startedAt: performance.now(), before });
}

function begin(cluster: Cluster, reload: Reload): void {
  cluster.reload = reload;
  const { wholeSet } = reload;
  const mark = wholeSet ? MARKS.reload : MARKS.restart;
  for (const worker of alive(cluster)) worker.outdated ??= mark;
  cluster.log.info(wholeSet ? "reload: starting a new set of workers" : "rolling restart");
}

/** A new worker did not come up: the old ones stay, as many as they were, which Gunicorn does not do. */
export function abandonReload(cluster: Cluster, reason: string): void {
  const { reload } = cluster;
  if (!reload) return;
  cluster.reload = undefined;
  if (reload.before) {
    cluster.plan = reload.before.plan;
    cluster.pools.web.desired = reload.before.workers;
  }
  increment(cluster.counts.reloads, "failed");
  for (const worker of alive(cluster)) {
    const isOld = worker.bornAt < reload.startedAt;
    if (isOld && (worker.outdated === MARKS.reload || worker.outdated === MARKS.restart)) {
      worker.outdated = undefined;
    } else if (!isOld && reload.wholeSet) worker.outdated ??= "rollback";
  }
  cluster.log.error(
    { reason },
    "reload abandoned: a new worker failed to start; the old ones stay",
  );
}

/** Ends the reload when all of the wanted workers are new and ready. */
export function finishReload(cluster: Cluster): void {
  if (!cluster.reload) return;
  const complete = Object.values(cluster.pools).every((pool) => {
    const { length } = fresh(cluster, pool);
    return length >= pool.desired && length === alive(cluster, pool).length;
  });
  if (!complete) return;
  cluster.log.info(
    { duration_ms: Math.round(performance.now() - cluster.reload.startedAt) },
    "reload done: all workers are new",
  );
  increment(cluster.counts.reloads, "ok");
  cluster.reload = undefined;
}
