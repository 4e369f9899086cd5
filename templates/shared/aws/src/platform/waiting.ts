/** The shortest and the longest wait between two tries. */
export interface BackoffRange {
  firstMs?: number;
  longestMs?: number;
}

/**
 * How long to wait after the try number `attempt`, counted from 1: it doubles with each. Half of it is random, so that
 * those that failed together do not come back together.
 */
export function backoff(
  attempt: number,
  { firstMs = 250, longestMs = 5_000 }: BackoffRange = {},
): number {
  return Math.min(firstMs * 2 ** (attempt - 1), longestMs) * (0.5 + Math.random() / 2);
}
