import type { Accepted, AcceptedFiles } from "./accepted.ts";
import { idApartFromFormatting } from "./formatting.ts";
import type { DiskFile, DiskTree, Plan } from "./plan.ts";
import type { Tree } from "./tree.ts";

/** Accepts a file as it is now, however it is formatted later. */
export function acceptedAs(path: string, file: DiskFile | undefined, reason?: string): Accepted {
  return {
    ...(file && { blob: idApartFromFormatting(path, file.bytes) }),
    ...(reason !== undefined && { reason }),
  };
}

/** Whether a file is still as it was accepted; a formatter may have been over it. */
export function isAccepted(accepted: AcceptedFiles, mine: DiskTree, path: string): boolean {
  const entry = accepted.get(path);
  const file = mine.get(path);
  return entry !== undefined && entry.blob === (file && idApartFromFormatting(path, file.bytes));
}

/**
 * What is accepted once a plan is carried out. Where it merges the template's changes into an accepted
 * file, the result is accepted as well: it differs by the same lines as before.
 */
export function acceptedAfter(
  accepted: AcceptedFiles,
  mine: DiskTree,
  theirs: Tree,
  { changes }: Plan,
): Map<string, Accepted> {
  const after = new Map<string, Accepted>();
  for (const [path, entry] of accepted) {
    const change = changes.find((candidate) => candidate.path === path);
    if (!theirs.has(path)) {
      continue;
    }
    if (!change) {
      after.set(path, entry);
    } else if (change.after && change.conflicts === 0 && isAccepted(accepted, mine, path)) {
      after.set(path, acceptedAs(path, change.after, entry.reason));
    }
  }
  return after;
}
