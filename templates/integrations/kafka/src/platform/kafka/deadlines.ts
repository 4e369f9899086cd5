import type { ServiceDeps } from "../lifespan.ts";
import type { Logger } from "../logging.ts";
import { TimeoutError } from "../timing.ts";

/** What one call of a handler gets besides its events. */
export class HandlerCall {
  readonly deps: ServiceDeps;
  readonly log: Logger;
  #controller: AbortController | undefined;

  constructor(deps: ServiceDeps, log: Logger) {
    this.deps = deps;
    this.log = log;
  }

  /** Made when a handler asks for it: most do not. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller?.abort(reason);
  }
}

/** Ends the wait for handlers that take too long. */
export interface HandlerDeadlines extends Disposable {
  /** @throws {TimeoutError} when the work takes too long; the handler itself is told by its signal. */
  limit(work: Promise<void>, call: HandlerCall): Promise<void>;
}

interface Running {
  expiresAt: number;
  expire(): void;
}

const MAX_TICK_MS = 250;

/** One timer looks after all calls: one for each would cost a good part of the throughput. */
export function createDeadlines(timeoutMs: number): HandlerDeadlines {
  const running = new Set<Running>();
  const timer = setInterval(
    () => {
      const now = performance.now();
      for (const one of running) if (one.expiresAt <= now) one.expire();
    },
    Math.min(MAX_TICK_MS, timeoutMs),
  ).unref();
  return {
    limit(work, call) {
      return new Promise((resolve, reject) => {
        const one = {
          expiresAt: performance.now() + timeoutMs,
          expire() {
            running.delete(one);
            const error = new TimeoutError(`the handler has not ended within ${timeoutMs} ms`);
            call.abort(error);
            reject(error);
          },
        };
        running.add(one);
        work
          .finally(() => void running.delete(one))
          .then(resolve, (error: unknown) => reject(error as Error));
      });
    },
    [Symbol.dispose]() {
      clearInterval(timer);
    },
  };
}
