import type { Hunk } from "./hunks.ts";

/** Base lines that at least one side changed, and the changes of each. */
export interface Cluster {
  start: number;
  end: number;
  mine: Hunk[];
  theirs: Hunk[];
}

/** Puts the changes of both sides together where they overlap, in the order of the base. */
export function clustersOf(mine: readonly Hunk[], theirs: readonly Hunk[]): Cluster[] {
  const hunks = [
    ...mine.map((hunk) => ({ hunk, side: "mine" as const })),
    ...theirs.map((hunk) => ({ hunk, side: "theirs" as const })),
  ].sort((a, b) => a.hunk.start - b.hunk.start || a.hunk.end - b.hunk.end);
  const clusters: Cluster[] = [];
  for (const { hunk, side } of hunks) {
    let cluster = clusters.at(-1);
    if (!cluster || !overlaps(cluster, hunk)) {
      cluster = { start: hunk.start, end: hunk.end, mine: [], theirs: [] };
      clusters.push(cluster);
    }
    cluster.end = Math.max(cluster.end, hunk.end);
    cluster[side].push(hunk);
  }
  return clusters;
}

/** Two insertions at one place have no order, so they overlap; an insertion beside a change does not. */
function overlaps(cluster: Cluster, hunk: Hunk): boolean {
  const bothInsert = cluster.start === cluster.end && hunk.start === hunk.end;
  return hunk.start < cluster.end || (bothInsert && hunk.start === cluster.end);
}
