import type { ClusterHooks } from "./config.ts";
import type { Cluster } from "./state.ts";

/** Runs a hook of cluster.config.ts and waits for it. What it throws is logged: a hook must not stop the service. */
export async function callHook<Name extends keyof ClusterHooks>(
  cluster: Pick<Cluster, "plan" | "log">,
  name: Name,
  ...args: Parameters<NonNullable<ClusterHooks[Name]>>
): Promise<void> {
  const hook = cluster.plan.hooks[name] as ((...given: unknown[]) => unknown) | undefined;
  try {
    await hook?.(...args);
  } catch (error) {
    cluster.log.error({ error, hook: name }, `the hook ${name} failed`);
  }
}
