/** Counts failures in a row and says how long to wait before the next try. */
export interface Backoff {
  /** A worker died that should not have; it had lived for `livedMs`. @returns milliseconds to wait. */
  fail(livedMs: number): number;
}

const FIRST_MS = 100;
const LONGEST_MS = 10_000;

/** 0.1 s, doubling to 10 s; a worker that lived for longer than that ends the row. */
export function createBackoff(): Backoff {
  let failures = 0;
  return {
    fail(livedMs) {
      if (livedMs > LONGEST_MS) failures = 0;
      const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
      failures += 1;
      return wait;
    },
  };
}
