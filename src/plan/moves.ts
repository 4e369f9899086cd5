import { posix } from "node:path";

import { decode, equal } from "./merge/three-way/encoding.ts";

/** Where a file is now that stood elsewhere. */
export interface Move {
  to: string;
  /** Nothing else comes near it. */
  certain: boolean;
}

type Files = ReadonlyMap<string, { bytes: Uint8Array }>;

const CERTAIN = 0.75;
const POSSIBLE = 0.5;

// Short files are alike by chance.
const FEWEST_LINES = 5;

/** Finds files that are gone among files that are new: by their bytes, else by their lines. */
export function movesOf(gone: Files, fresh: Files): Map<string, Move> {
  const moves = new Map<string, Move>();
  const left = new Map(fresh);
  for (const [path, { bytes }] of gone) {
    const twins = [...left].filter(([, file]) => bytes.length > 0 && equal(file.bytes, bytes));
    const namesakes = twins.filter(([to]) => posix.basename(to) === posix.basename(path));
    const [twin] = twins.length === 1 ? twins : namesakes;
    if (twin) {
      moves.set(path, { to: twin[0], certain: true });
      left.delete(twin[0]);
    }
  }
  const pairs = pairsOf(
    [...gone].filter(([path]) => !moves.has(path)),
    [...left],
  );
  for (const { from, to, similarity: near } of pairs) {
    const taken = [...moves.values()].some((move) => move.to === to);
    if (!moves.has(from) && !taken) {
      const rival = pairs.some(
        (pair) => (pair.from === from) !== (pair.to === to) && pair.similarity > near - 0.1,
      );
      moves.set(from, { to, certain: near >= CERTAIN && !rival });
    }
  }
  return moves;
}

interface Pair {
  from: string;
  to: string;
  similarity: number;
}

type Entries = readonly (readonly [path: string, file: { bytes: Uint8Array }])[];

/** The files that are alike, the most alike first. */
function pairsOf(gone: Entries, fresh: Entries): Pair[] {
  const [before, after] = [gone, fresh].map((entries) =>
    entries.map(([path, { bytes }]) => ({ path, lines: linesOf(bytes) })),
  );
  return (before ?? [])
    .flatMap(({ path, lines }) =>
      (after ?? [])
        .filter((other) => posix.extname(other.path) === posix.extname(path))
        .map((other) => ({
          from: path,
          to: other.path,
          similarity: lines.length < FEWEST_LINES ? 0 : similarity(lines, other.lines),
        })),
    )
    .filter((pair) => pair.similarity >= POSSIBLE)
    .sort((a, b) => b.similarity - a.similarity);
}

/** The part of their lines that two files share, in any order: from 0 to 1. */
export function similarity(one: readonly string[], two: readonly string[]): number {
  const [shorter, longer] = one.length < two.length ? [one, two] : [two, one];
  // However many of them are shared, it cannot be enough.
  if (shorter.length * 4 < longer.length) {
    return 0;
  }
  const counts = new Map<string, number>();
  for (const line of shorter) {
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  let shared = 0;
  for (const line of longer) {
    const count = counts.get(line) ?? 0;
    if (count > 0) {
      counts.set(line, count - 1);
      shared += 1;
    }
  }
  return longer.length === 0 ? 1 : (2 * shared) / (one.length + two.length);
}

/** Whether one file is surely an edited version of the other. */
export function areAlike(one: { bytes: Uint8Array }, two: { bytes: Uint8Array }): boolean {
  const lines = linesOf(one.bytes);
  return lines.length >= FEWEST_LINES && similarity(lines, linesOf(two.bytes)) >= CERTAIN;
}

/** The lines that tell files apart: trimmed, and without those of which every file has many. */
export function linesOf(bytes: Uint8Array): string[] {
  return (decode(bytes) ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.length > 3);
}
