import type { DiskTree, Plan } from "./plan.ts";
import type { Tree } from "./tree.ts";

/** What stands where a file could be, but is none. */
export type Obstacle = "folder" | "link" | "other";

export interface Update {
  /** What the template once wrote, as `baseOf` found it. */
  base: Tree;
  /** Paths that the template once wrote, but nobody knows any more with what in them. */
  unknown: ReadonlySet<string>;
  /** What the template writes now. */
  theirs: Tree;
  /** The service's files: all of them, so that one that was renamed can be found. */
  mine: DiskTree;
  obstacles: ReadonlyMap<string, Obstacle>;
  /** Paths that the user deleted and wants back. */
  restore: ReadonlySet<string>;
  /** Who is who at a conflict's marks, such as "template 0.2.0". */
  labels: { mine: string; theirs: string };
}

/**
 * What it takes to bring a service from one render to another, with every edit of the user's kept.
 * @throws {UserError} when a file still has the marks of an earlier conflict, or a path to restore is
 * no file of the template's.
 */
export function planUpdate(update: Update): Plan {
  void update;
  return { changes: [], conflicts: [], findings: [] };
}
