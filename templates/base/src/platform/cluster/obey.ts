import { increment } from "./counts.ts";
import { halt, nextStopMode } from "./halt.ts";
import { callHook } from "./hooks.ts";
import type { ClusterPlan } from "./plan.ts";
import { beginReload, beginRestart } from "./reload.ts";
import { StartError } from "./start-error.ts";
import type { Cluster } from "./state.ts";

/** The signals that mean something to the primary; USR1 is Node's own. */
export const SIGNALS = [
  "SIGTERM",
  "SIGINT",
  "SIGQUIT",
  "SIGHUP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGUSR2",
] as const;

/** Does what a signal asks for. @param readPlan reads the configuration anew, for HUP. */
export async function obey(
  cluster: Cluster,
  signal: NodeJS.Signals,
  readPlan: () => Promise<ClusterPlan>,
): Promise<void> {
  cluster.log.info({ signal }, "signal received");
  if (signal === "SIGTERM" || signal === "SIGINT" || signal === "SIGQUIT") {
    halt(cluster, nextStopMode(cluster.stopping, signal));
  } else if (cluster.stopping) return;
  else if (signal === "SIGHUP") await reload(cluster, readPlan);
  else if (signal === "SIGUSR2") beginRestart(cluster);
  else if (signal === "SIGTTIN") cluster.pools.web.desired += 1;
  else if (signal === "SIGTTOU") {
    cluster.pools.web.desired = Math.max(1, cluster.pools.web.desired - 1);
  }
}

/** A configuration that cannot be used changes nothing. */
async function reload(cluster: Cluster, readPlan: () => Promise<ClusterPlan>): Promise<void> {
  let plan: ClusterPlan;
  try {
    plan = await readPlan();
  } catch (error) {
    increment(cluster.counts.reloads, "failed");
    const problems = error instanceof StartError ? error.problems : [];
    cluster.log.error(
      { error, problems },
      "reload abandoned: cluster.config cannot be used; nothing has changed",
    );
    return;
  }
  beginReload(cluster, plan);
  await callHook(cluster, "onReload");
}
