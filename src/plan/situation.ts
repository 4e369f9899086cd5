import type { Draft } from "./draft.ts";
import { equal } from "./merge/three-way/encoding.ts";
import type { Move } from "./moves.ts";
import type { TreeFile } from "./tree.ts";
import type { Update } from "./update.ts";

/** All that is known when a path is decided. */
export interface Situation extends Update {
  /** Where the user moved files of the template's. */
  moved: ReadonlyMap<string, Move>;
  /** Where the template moved its own files. */
  replaced: ReadonlyMap<string, Move>;
  draft: Draft;
}

/** What stands in the way of a file at this path: something else there, or a file above it. */
export function blockerOf({ mine, obstacles }: Situation, path: string): string | undefined {
  const parts = path.split("/");
  const above = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
  const isWall = (folder: string) =>
    mine.has(folder) || (obstacles.get(folder) ?? "folder") !== "folder";
  return above.find(isWall) ?? (obstacles.has(path) ? path : undefined);
}

/** Where the template certainly has this file now. */
export function successorOf({ replaced }: Situation, path: string): string | undefined {
  const move = replaced.get(path);
  return move?.certain ? move.to : undefined;
}

/** The template left a file as it was. */
export function same(one: TreeFile, two: TreeFile): boolean {
  return one.mode === two.mode && equal(one.bytes, two.bytes);
}
