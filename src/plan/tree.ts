/**
 * Who looks after a file once it is written: `merged` is the template's and the user's together,
 * `once` the user's alone, `managed` a tool's, such as a lockfile.
 */
export type Owner = "merged" | "once" | "managed";

export interface TreeFile {
  bytes: Uint8Array;
  mode: number;
  owner: Owner;
}

/** A rendered service: files by path, in the order of their paths. */
export type Tree = ReadonlyMap<string, TreeFile>;

/** The tree of these files. */
export function inOrder(files: readonly (readonly [path: string, file: TreeFile])[]): Tree {
  return new Map(files.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
