import { diffIndices } from "node-diff3";

/** A stretch of base lines, and the lines of one side that take their place. */
export interface Hunk {
  start: number;
  end: number;
  /** Where the side's lines stand in its own text. */
  sideStart: number;
  sideEnd: number;
}

// The search for common lines takes the square of what differs; nobody writes that much by hand.
const SEARCH_LIMIT = 20_000;

/** How one side differs from the base, in the order of the base's lines. */
export function hunksOf(base: readonly string[], side: readonly string[]): Hunk[] {
  const shorter = Math.min(base.length, side.length);
  let head = 0;
  while (head < shorter && base[head] === side[head]) {
    head += 1;
  }
  let tail = 0;
  while (tail < shorter - head && base.at(-1 - tail) === side.at(-1 - tail)) {
    tail += 1;
  }
  const [before, after] = [base, side].map((lines) => lines.slice(head, lines.length - tail));
  return differences(before ?? [], after ?? []).map(({ buffer1, buffer2 }) => ({
    start: head + buffer1[0],
    end: head + buffer1[0] + buffer1[1],
    sideStart: head + buffer2[0],
    sideEnd: head + buffer2[0] + buffer2[1],
  }));
}

function differences(before: string[], after: string[]) {
  if (before.length + after.length === 0) {
    return [];
  }
  if (Math.max(before.length, after.length) > SEARCH_LIMIT) {
    return [{ buffer1: [0, before.length] as const, buffer2: [0, after.length] as const }];
  }
  return diffIndices(before, after);
}
