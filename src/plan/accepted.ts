import { blobId } from "./blob-id.ts";
import { decode } from "./merge/three-way/encoding.ts";
import type { DiskFile, DiskTree, Plan } from "./plan.ts";
import { toJson } from "./state.ts";
import type { Tree } from "./tree.ts";

/** A difference from the template that the team wants: the file as it is, or that it is not there. */
export interface Accepted {
  /** The id of the file with plain line ends; none when its absence is accepted. */
  blob?: string | undefined;
  reason?: string | undefined;
}

export type AcceptedFiles = ReadonlyMap<string, Accepted>;

/** Accepts a file as it is now. */
export function acceptedAs(file: DiskFile | undefined, reason?: string): Accepted {
  return {
    ...(file && { blob: idOf(file.bytes) }),
    ...(reason !== undefined && { reason }),
  };
}

/** Whether a file is still as it was accepted. */
export function isAccepted(accepted: AcceptedFiles, mine: DiskTree, path: string): boolean {
  const entry = accepted.get(path);
  const file = mine.get(path);
  return entry !== undefined && entry.blob === (file && idOf(file.bytes));
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
      after.set(path, acceptedAs(change.after, entry.reason));
    }
  }
  return after;
}

/** A state file with these accepted differences in place of those that it has. */
export function withAccepted(stateFile: Uint8Array, accepted: AcceptedFiles): Uint8Array {
  const text = (decode(stateFile) ?? "").replace(/^\uFEFF/, "");
  const { accepted: _, ...state } = JSON.parse(text) as Record<string, unknown>;
  const entries = [...accepted].sort(([a], [b]) => (a < b ? -1 : 1));
  const data = entries.length > 0 ? { ...state, accepted: Object.fromEntries(entries) } : state;
  // The team's formatter may have indented it otherwise.
  const [indent = "  "] = /(?<=^\{\s*\n)[ \t]+/.exec(text) ?? [];
  const indented = toJson(data).replaceAll(/^(?: {2})+/gm, (spaces) =>
    indent.repeat(spaces.length / 2),
  );
  return Buffer.from(`${indented}\n`);
}

// Line ends that a checkout on Windows made are not another difference.
function idOf(bytes: Uint8Array): string {
  const text = decode(bytes);
  return blobId(text === undefined ? bytes : Buffer.from(text.replaceAll("\r\n", "\n")));
}
