import { SettingsError } from "../settings.ts";
import { type ClusterPlan, makePlan } from "./config.ts";
import { alive, callHook, type Cluster, increment, type Reload, upToDate } from "./state.ts";

/** HUP: reads cluster.config.ts again, and replaces every worker once a whole new set is ready. */
export async function beginReload(cluster: Cluster): Promise<void> {
  const { pools, log } = cluster;
  let plan: ClusterPlan;
  try {
    plan = await makePlan(await cluster.loadOptions(), cluster.settings, cluster);
  } catch (error) {
    increment(cluster.reloads, "failed");
    const problems = error instanceof SettingsError ? error.problems : [];
    const message = "reload abandoned: cluster.config is invalid; nothing has changed";
    log.error({ error, problems }, message);
    return;
  }
  // A reload during a reload goes back to what was good before both.
  const before = cluster.reload?.before ?? { plan: cluster.plan, workers: pools.web.desired };
  cluster.plan = plan;
  pools.web.desired = plan.workers;
  begin(cluster, { wholeSet: true, startedAt: performance.now(), before });
  log.info("reload: starting a new set of workers");
  await callHook(cluster, "onReload");
}

/** USR2: replaces the workers one after the other, so that there is at most one more at a time. */
export function beginRestart(cluster: Cluster): void {
  const before = cluster.reload?.before;
  begin(cluster, { wholeSet: false, startedAt: performance.now(), before });
  cluster.log.info("rolling restart");
}

function begin(cluster: Cluster, reload: Reload): void {
  cluster.reload = reload;
  for (const worker of alive(cluster)) worker.outdated ??= reload.wholeSet ? "reload" : "restart";
}

/** A new worker did not start: the old ones stay, as many as they were, which Gunicorn does not do. */
export function abandonReload(cluster: Cluster, reason: string): void {
  const { reload } = cluster;
  if (!reload) return;
  cluster.reload = undefined;
  if (reload.before) {
    cluster.plan = reload.before.plan;
    cluster.pools.web.desired = reload.before.workers;
  }
  increment(cluster.reloads, "failed");
  for (const worker of alive(cluster)) {
    const isOld = worker.bornAt < reload.startedAt;
    if (isOld && (worker.outdated === "reload" || worker.outdated === "restart")) {
      delete worker.outdated;
    } else if (!isOld && reload.wholeSet) worker.outdated ??= "rollback";
  }
  const message = "reload abandoned: a new worker failed to start; the old ones stay";
  cluster.log.error({ reason }, message);
}

/** Ends the reload when all of the desired workers are new and ready. */
export function finishReload(cluster: Cluster): void {
  if (!cluster.reload) return;
  const complete = Object.values(cluster.pools).every((pool) => {
    const { length } = upToDate(cluster, pool);
    return length >= pool.desired && length === alive(cluster, pool).length;
  });
  if (!complete) return;
  const duration = Math.round(performance.now() - cluster.reload.startedAt);
  cluster.log.info({ duration_ms: duration }, "reload done: all workers are new");
  increment(cluster.reloads, "ok");
  cluster.reload = undefined;
}
