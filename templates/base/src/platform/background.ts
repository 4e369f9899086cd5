import type { Deps } from "../deps.ts";
import type { ReadinessCheck } from "./health.ts";
import type { ListedIntegration } from "./lifespan.ts";

/** The background work of all integrations. Disposing of it lets each finish what it has begun. */
export interface BackgroundWork extends AsyncDisposable {
  /** Under `<name>_background`, because the client may be well while the work is not. */
  checks: ReadinessCheck[];
}

/** Starts the work beside the requests of every integration that has some. */
export function startBackgroundWork(integrations: object, deps: Deps): BackgroundWork {
  const stack = new AsyncDisposableStack();
  const checks: ReadinessCheck[] = [];
  const clients = deps as unknown as Record<string, unknown>;
  const listed = Object.entries(integrations as Record<string, ListedIntegration>);
  for (const [name, { critical, background }] of listed) {
    const work = background?.(clients[name], deps);
    if (work === undefined) continue;
    stack.defer(() => work.stop());
    checks.push({ name: `${name}_background`, critical, check: () => work.check() });
  }
  return { checks, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
