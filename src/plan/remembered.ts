import type { FileIds } from "../catalog/templates.ts";
import { blobId } from "./blob-id.ts";
import { idApartFromFormatting } from "./formatting.ts";
import type { DiskFile, DiskTree } from "./plan.ts";
import { inOrder, type Owner, type Tree, type TreeFile } from "./tree.ts";

/** A file that an old version wrote, and of which only the ids are known here. */
export interface Remembered extends FileIds {
  mode: number;
  owner: Owner;
}

/** Remembered files of a service by path. */
export type RememberedFiles = ReadonlyMap<string, Remembered>;

/** Whether a file is one that is remembered: as it was written, or in another format. */
export function isRemembered(path: string, { blob, text }: Remembered, own: DiskFile): boolean {
  return blobId(own.bytes) === blob || idApartFromFormatting(path, own.bytes).startsWith(text);
}

/** A render with the remembered files in it, as far as their bytes are in one of these trees. */
export function withRemembered(
  tree: Tree,
  remembered: RememberedFiles,
  ...sources: readonly (Tree | DiskTree)[]
): Tree {
  const found = [...remembered.keys()].flatMap((path): [string, TreeFile][] => {
    const file = sources.map((source) => source.get(path)).find((there) => there !== undefined);
    return file ? [[path, { owner: "merged", ...file }]] : [];
  });
  return found.length > 0 ? inOrder([...tree, ...found]) : tree;
}
