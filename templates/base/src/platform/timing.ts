import { addAbortListener } from "node:events";

/** Work that took longer than it may. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/**
 * Waits for `work`, but no longer than `ms`. The work itself goes on: end it with a signal where it knows one.
 * @throws {TimeoutError}
 */
export async function withTimeout<Result>(
  work: Promise<Result> | Result,
  ms: number,
  message = `no answer within ${ms} ms`,
): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeoutError(message)), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for `work` until `signal` is aborted. @throws the signal's reason. */
export async function abortable<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  work.catch(() => {}); // After an abort nobody handles its failure.
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  using _listener = addAbortListener(signal, () => reject(signal.reason as Error));
  return await Promise.race([work, aborted]);
}

/**
 * How long to wait after the try number `attempt`, counted from 1: it doubles with each. Half of it is random, so that
 * those that failed together do not come back together.
 * @param range the wait after the first try, and the longest one.
 */
export function backoff(
  attempt: number,
  range: { firstMs?: number; longestMs?: number } = {},
): number {
  const { firstMs = 250, longestMs = 5_000 } = range;
  return Math.min(firstMs * 2 ** (attempt - 1), longestMs) * (0.5 + Math.random() / 2);
}
