import { sameText } from "./merge/three-way/encoding.ts";
import { mergeFile } from "./merge/three-way/merge-file.ts";
import { mergeMode } from "./mode.ts";
import { likeness, linesOf } from "./moves.ts";
import type { Conflict, DiskFile } from "./plan.ts";
import { same, type Situation } from "./situation.ts";
import type { TreeFile } from "./tree.ts";

interface Three {
  was: TreeFile;
  wanted: TreeFile;
  own: DiskFile;
}

/** Merges a file and writes it to a path, which may not be the one that it had. */
export function mergeInto(situation: Situation, path: string, three: Three, to: string): void {
  const { draft, labels } = situation;
  const { was, wanted, own } = three;
  const mode = mergeMode(was.mode, own.mode, wanted.mode);
  if (wanted.owner === "once" && !sameText(own.bytes, was.bytes)) {
    if (!same(was, wanted) && !sameText(own.bytes, wanted.bytes)) {
      draft.find(to, "kept-yours", "the template's has changed; yours stays, because it is yours");
    }
    return;
  }
  const bytes = { base: was.bytes, mine: own.bytes, theirs: wanted.bytes };
  const merged = mergeFile(path, bytes, labels);
  if (!merged) {
    const message = "both of you changed it, and its format does not let that be merged";
    keepBoth(situation, to, wanted, "unmergeable", message, was);
    return;
  }
  if (merged.conflicts > 0 && areStrangers(own, was)) {
    const message = "yours has hardly anything in common with the template's";
    keepBoth(situation, to, wanted, "taken", message, was);
    return;
  }
  for (const { kind, message } of merged.notes) {
    draft.find(to, kind, message);
  }
  if (merged.conflicts > 0) {
    draft.conflict({ path: to, kind: "marked", message: "both of you changed the same lines" });
  }
  const notes = merged.notes.map(({ message }) => message);
  draft.write(to, { bytes: merged.bytes, mode }, { conflicts: merged.conflicts, notes });
}

/** Leaves the user's file as it is, puts the template's beside it, and asks. */
export function keepBoth(
  { draft }: Situation,
  path: string,
  wanted: TreeFile,
  kind: Conflict["kind"],
  message: string,
  was?: TreeFile,
): void {
  draft.conflict({ path, kind, message, beside: draft.writeBeside(path, wanted, was?.bytes) });
}

const STRANGERS = 0.2;

function areStrangers(own: DiskFile, was: TreeFile): boolean {
  return likeness(linesOf(own.bytes), linesOf(was.bytes)) < STRANGERS;
}
