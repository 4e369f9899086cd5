/** What the primary counts of its own doings; exposition.ts makes metrics of it when they are asked for. */
export interface Counts {
  /** Workers that ended and were replaced, by reason. */
  restarts: Map<string, number>;
  hangs: number;
  reloads: Map<"ok" | "failed", number>;
}

export function createCounts(): Counts {
  return { restarts: new Map(), hangs: 0, reloads: new Map() };
}

export function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
