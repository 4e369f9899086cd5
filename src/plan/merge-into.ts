import { sameText } from "./merge/three-way/encoding.ts";
import { mergeFile } from "./merge/three-way/merge-file.ts";
import { mergeMode } from "./mode.ts";
import { similarity, linesOf } from "./moves.ts";
import type { Conflict, DiskFile } from "./plan.ts";
import { same, type MergeContext } from "./merge-context.ts";
import type { TreeFile } from "./tree.ts";

/** A file of the template's, before and now, and what the user has made of it. */
export interface ThreeWay {
  was: TreeFile;
  wanted: TreeFile;
  own: DiskFile;
  /** Where the template had it and has it, which may be elsewhere than where the user has it. */
  template: { was: string; wanted: string };
}

/** Merges a file where the user has it; a version that cannot be merged becomes a sidecar (.new). */
export function mergeInto(context: MergeContext, three: ThreeWay, to: string): void {
  const refusal = tryMerge(context, three, to);
  if (refusal) {
    keepBoth(context, to, three.wanted, refusal, three.was);
  }
}

/** Why a file was not merged. */
export type Refusal = Pick<Conflict, "kind" | "message" | "template">;

/** Merges a file and writes it to a path; nothing is written when that is refused. */
export function tryMerge(
  { draft, labels }: MergeContext,
  { was, wanted, own, template }: ThreeWay,
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
  if (merged.conflicts > 0 && areUnrelated(own, was)) {
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

/** Leaves the user's file as it is, writes the template's as a sidecar (.new), and reports a conflict. */
export function keepBoth(
  { draft }: MergeContext,
  path: string,
  wanted: TreeFile,
  refusal: Refusal,
  was?: TreeFile,
): void {
  draft.conflict({ path, ...refusal, beside: draft.writeSidecar(path, wanted, was?.bytes) });
}

const UNRELATED = 0.2;

function areUnrelated(own: DiskFile, was: TreeFile): boolean {
  return similarity(linesOf(own.bytes), linesOf(was.bytes)) < UNRELATED;
}
