import { blobId } from "./blob-id.ts";
import type { DiskFile, DiskTree } from "./plan.ts";
import type { State } from "./read-state.ts";
import { isRemembered, type RememberedFiles } from "./remembered.ts";
import type { Tree, TreeFile } from "./tree.ts";

/** Bytes by their blob ids. */
export type Blobs = ReadonlyMap<string, Uint8Array>;

export interface Base {
  base: Tree;
  /** Recorded paths of which the bytes are nowhere. */
  unknown: ReadonlySet<string>;
}

/**
 * What the template once wrote, proven file by file: bytes count only when they have the recorded id.
 * `sources` are trees that may have them, first of all the render of the recorded answers; `found` is
 * what the service's own git has of the rest.
 */
export function baseOf(
  state: State,
  sources: readonly (Tree | DiskTree)[],
  found: Blobs = new Map(),
  remembered: RememberedFiles = new Map(),
): Base {
  const base = new Map<string, TreeFile>();
  const unknown = new Set<string>();
  for (const [path, { blob, owner }] of state.files) {
    if (blob === undefined) {
      continue;
    }
    const files = sources.map((source) => source.get(path)).filter((file) => file !== undefined);
    const known = remembered.get(path);
    // A file that was only formatted otherwise is its own base.
    const isIt = (file: DiskFile) =>
      blobId(file.bytes) === blob || (known?.blob === blob && isRemembered(path, known, file));
    const bytes = files.find(isIt)?.bytes ?? found.get(blob);
    if (bytes) {
      base.set(path, { bytes, mode: (known ?? files[0])?.mode ?? 0o644, owner });
    } else {
      unknown.add(path);
    }
  }
  return { base, unknown };
}

/** The blob ids to ask the service's git for. */
export function missingBlobs(
  state: State,
  sources: readonly (Tree | DiskTree)[],
  remembered?: RememberedFiles,
): string[] {
  const ids = [...baseOf(state, sources, new Map(), remembered).unknown].map(
    (path) => state.files.get(path)?.blob ?? "",
  );
  return [...new Set(ids)].sort();
}
