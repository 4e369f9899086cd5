import { setTimeout as delay } from "node:timers/promises";
import type { Background } from "./lifespan.ts";
import type { Logger } from "./logging.ts";

export interface PeriodicTask {
  name: string;
  /** From the end of a run to the next one, in milliseconds. */
  everyMs: number;
  /** The most random delay of a run, so that tasks do not all run at once; a tenth of `everyMs` when left out. */
  jitterMs?: number;
  /** How long a run may take; as long as `everyMs` when left out. */
  timeoutMs?: number;
  log: Logger;
  /** @param signal ends a run that takes too long, or when the service stops. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Runs something again and again: what an integration's `background` returns, so in one process of each ECS task. Two runs
 * never overlap. One that fails is logged, and unready until the next one succeeds.
 */
export function startPeriodic(task: PeriodicTask): Background {
  const { name, everyMs, log, jitterMs = everyMs / 10, timeoutMs = everyMs } = task;
  const stopping = new AbortController();
  const { signal } = stopping;
  let failure: unknown;
  let beganAt: number | undefined;

  async function repeat(): Promise<void> {
    for (let waitMs = 0; ; waitMs = everyMs) {
      try {
        await delay(waitMs + Math.random() * jitterMs, undefined, { signal });
        beganAt = performance.now();
        await task.run(AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
        failure = undefined;
      } catch (error) {
        if (signal.aborted) return;
        failure = error;
        log.error({ error, task: name }, "a periodic task failed");
      } finally {
        beganAt = undefined;
      }
    }
  }
  const repeating = repeat();

  return {
    async check() {
      if (failure !== undefined) throw new Error(`${name} failed`, { cause: failure });
      if (beganAt !== undefined && performance.now() - beganAt > timeoutMs) {
        throw new Error(`${name} takes longer than ${timeoutMs} ms`);
      }
    },
    async stop() {
      stopping.abort();
      await repeating;
    },
  };
}
