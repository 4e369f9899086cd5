import { sameText } from "./merge/three-way/encoding.ts";
import { mergeFile } from "./merge/three-way/merge-file.ts";
import { mergeMode } from "./mode.ts";
import { likeness, linesOf } from "./moves.ts";
import type { Conflict, DiskFile } from "./plan.ts";
import { same, type Situation } from "./situation.ts";
import type { TreeFile } from "./tree.ts";

/** A file of the template's, before and now, and what the user has made of it. */
export interface Three {
  was: TreeFile;
  wanted: TreeFile;
  own: DiskFile;
  /** Where the template had it and has it, which may be elsewhere than where the user has it. */
  template: { was: string; wanted: string };
}

/** Merges a file in the place where the user has it; what cannot be merged lies beside it. */
export function mergeInto(situation: Situation, three: Three, to: string): void {
  const refusal = tryMerge(situation, three, to);
  if (refusal) {
    keepBoth(situation, to, three.wanted, refusal, three.was);
  }
}

/** Why a file was not merged. */
export type Refusal = Pick<Conflict, "kind" | "message" | "template">;

/** Merges a file and writes it to a path; nothing is written when that is refused. */
export function tryMerge(
  { draft, labels }: Situation,
  { was, wanted, own, template }: Three,
  to: string,
): Refusal | undefined {
  const mode = mergeMode(was.mode, own.mode, wanted.mode);
  if (wanted.owner === "once" && !sameText(own.bytes, was.bytes)) {
    if (!same(was, wanted) && !sameText(own.bytes, wanted.bytes)) {
      draft.find(to, "kept-yours", "the template's has changed; yours stays, because it is yours");
    }
    return undefined;
  }
  const bytes = { base: was.bytes, mine: own.bytes, theirs: wanted.bytes };
  const merged = mergeFile(template.wanted, bytes, labels);
  if (!merged) {
    const message = "both of you changed it, and its format does not let that be merged";
    return { kind: "unmergeable", message, template };
  }
  if (merged.conflicts > 0 && areStrangers(own, was)) {
    const message = "yours has hardly anything in common with the template's";
    return { kind: "taken", message, template };
  }
  for (const { kind, message } of merged.notes) {
    draft.find(to, kind, message);
  }
  if (merged.conflicts > 0) {
    const message = "both of you changed the same lines";
    draft.conflict({ path: to, kind: "marked", message, template });
  }
  const notes = merged.notes.map(({ message }) => message);
  draft.write(to, { bytes: merged.bytes, mode }, { conflicts: merged.conflicts, notes });
  return undefined;
}

/** Leaves the user's file as it is, puts the template's beside it, and asks. */
export function keepBoth(
  { draft }: Situation,
  path: string,
  wanted: TreeFile,
  refusal: Refusal,
  was?: TreeFile,
): void {
  draft.conflict({ path, ...refusal, beside: draft.writeBeside(path, wanted, was?.bytes) });
}

const STRANGERS = 0.2;

function areStrangers(own: DiskFile, was: TreeFile): boolean {
  return likeness(linesOf(own.bytes), linesOf(was.bytes)) < STRANGERS;
}
