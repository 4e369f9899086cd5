import type { Draft } from "./draft.ts";
import { equal } from "./merge/three-way/encoding.ts";
import type { Move } from "./moves.ts";
import type { DiskTree } from "./plan.ts";
import type { Tree, TreeFile } from "./tree.ts";

/** What stands at a path instead of a file. */
export type Obstacle = "folder" | "link" | "other";

/** The three trees of an update, and what the user asked for. */
export interface Update {
  /** What the template once wrote, as `baseOf` found it. */
  base: Tree;
  /** Recorded paths of which the template's bytes are lost. */
  unknown: ReadonlySet<string>;
  /** What the template writes now. */
  theirs: Tree;
  /** The service's files: all of them, so that one that was renamed can be found. */
  mine: DiskTree;
  obstacles: ReadonlyMap<string, Obstacle>;
  /** Paths that the user deleted and wants back. */
  restore: ReadonlySet<string>;
  /** The names of the sides at conflict markers, such as "template 0.2.0". */
  labels: { mine: string; theirs: string };
}

/** What deciding a path takes: the update's trees, the moves in them, and the plan so far. */
export interface MergeContext extends Update {
  /** Where the user moved files of the template's. */
  moved: ReadonlyMap<string, Move>;
  /** Where the template moved its own files. */
  replaced: ReadonlyMap<string, Move>;
  draft: Draft;
}

/** What stands in the way of a file at this path: something else there, or a file above it. */
export function blockerOf({ mine, obstacles }: MergeContext, path: string): string | undefined {
  const parts = path.split("/");
  const above = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
  const isBlocking = (folder: string) =>
    mine.has(folder) || (obstacles.get(folder) ?? "folder") !== "folder";
  return above.find(isBlocking) ?? (obstacles.has(path) ? path : undefined);
}

/** Where the template certainly has this file now. */
export function successorOf({ replaced }: MergeContext, path: string): string | undefined {
  const move = replaced.get(path);
  return move?.certain ? move.to : undefined;
}

/** The template left a file as it was. */
export function same(one: TreeFile, two: TreeFile): boolean {
  return one.mode === two.mode && equal(one.bytes, two.bytes);
}
