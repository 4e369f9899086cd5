import type { Accepted } from "./accepted.ts";
import type { Obstacle } from "./merge-context.ts";
import { sameText } from "./merge/three-way/encoding.ts";
import { hasConflictMarkers } from "./merge/three-way/text.ts";
import { isExecutable } from "./mode.ts";
import type { DiskTree } from "./plan.ts";
import { STATE_FILE } from "./state.ts";
import type { Owner, Tree } from "./tree.ts";

/** How a file differs from what the template wrote. */
export interface Drift {
  path: string;
  kind: "edited" | "deleted" | "moved" | "mode" | "blocked" | "conflict" | "beside";
  /** Where a moved file is now. */
  to?: string;
  /** It is the user's alone, so that it differs is as it should be. */
  yours: boolean;
  /** The team wants this difference. */
  accepted?: Accepted;
}

/**
 * What differs between a service and its own answers' render. An `unknown` file differs for
 * sure: if it had the recorded id, its bytes would be the template's.
 */
export function driftOf(
  once: Tree,
  mine: DiskTree,
  obstacles: ReadonlyMap<string, Obstacle>,
  unknown: ReadonlyMap<string, Owner> = new Map(),
): Drift[] {
  const drifts = [...once].flatMap(([path, file]): Drift[] => {
    const kind = path === STATE_FILE ? undefined : kindOf(path, file, mine, obstacles);
    return kind ? [{ path, kind, yours: file.owner === "once" && kind !== "conflict" }] : [];
  });
  const lost = [...unknown].map(([path, owner]): Drift => {
    const kind = mine.has(path) ? "edited" : missing(path, obstacles);
    return { path, kind, yours: owner === "once" };
  });
  const sidecars = [...mine.keys()].filter((path) => once.has(path.replace(/\.new\d*$/, "")));
  return [
    ...drifts,
    ...lost,
    ...sidecars
      .filter((path) => !once.has(path))
      .map((path) => ({ path, kind: "beside" as const, yours: false })),
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function kindOf(
  path: string,
  file: { bytes: Uint8Array; mode: number },
  mine: DiskTree,
  obstacles: ReadonlyMap<string, Obstacle>,
): Drift["kind"] | undefined {
  const own = mine.get(path);
  if (!own) {
    return missing(path, obstacles);
  }
  if (!sameText(own.bytes, file.bytes)) {
    return hasConflictMarkers(own.bytes) && !hasConflictMarkers(file.bytes) ? "conflict" : "edited";
  }
  return isExecutable(own.mode) === isExecutable(file.mode) ? undefined : "mode";
}

function missing(path: string, obstacles: ReadonlyMap<string, Obstacle>): Drift["kind"] {
  return obstacles.has(path) ? "blocked" : "deleted";
}
