import type { Draft } from "./draft.ts";
import { sameText } from "./merge/three-way/encoding.ts";
import { keepBoth, mergeInto, type ThreeWay, tryMerge } from "./merge-into.ts";
import { mergeMode } from "./mode.ts";
import { areAlike } from "./moves.ts";
import type { DiskFile } from "./plan.ts";
import { blockerOf, same, type MergeContext, successorOf } from "./merge-context.ts";
import type { TreeFile } from "./tree.ts";

/** Decides what becomes of one path. */
export function decide(context: MergeContext, path: string): void {
  const { base, theirs, mine, unknown } = context;
  const [was, wanted, own] = [base.get(path), theirs.get(path), mine.get(path)];
  const blocker = blockerOf(context, path);
  if (blocker !== undefined) {
    decideBlocked(context, path, blocker);
  } else if (unknown.has(path)) {
    decideUnknown(context, path, wanted, own);
  } else if (was && wanted) {
    decideKept(context, path, was, wanted, own);
  } else if (was) {
    decideDropped(context, path, was, own);
  } else if (wanted) {
    decideNew(context, path, wanted, own);
  }
}

/** The template has the file before and after. */
function decideKept(
  context: MergeContext,
  path: string,
  was: TreeFile,
  wanted: TreeFile,
  own: DiskFile | undefined,
): void {
  const template = { was: path, wanted: path };
  if (own) {
    mergeInto(context, { was, wanted, own, template }, path);
  } else if (context.restore.has(path)) {
    context.draft.write(path, wanted);
  } else {
    decideGone(context, template, was, wanted);
  }
}

/** The template has the file, perhaps elsewhere now; the user deleted or moved it. */
function decideGone(
  context: MergeContext,
  template: ThreeWay["template"],
  was: TreeFile,
  wanted: TreeFile,
): void {
  const { draft } = context;
  const move = context.moved.get(template.was);
  const own = context.mine.get(move?.to ?? "");
  if (move?.certain && own) {
    followMove(context, { was, wanted, own, template }, move.to);
    return;
  }
  const changed = same(was, wanted) ? "" : ", though the template has changed it";
  if (wanted.owner === "once" && changed === "") {
    return;
  }
  if (move) {
    const message = `you deleted ${template.was}, or moved it here: look yourself`;
    draft.find(move.to, "maybe-moved", `${message}${changed}`);
  }
  const called = template.was === template.wanted ? "" : ` when it was called ${template.was}`;
  findDeleted(draft, template.wanted, called, changed);
}

function followMove(context: MergeContext, three: ThreeWay, to: string): void {
  const { was, wanted, template } = three;
  if (!same(was, wanted)) {
    mergeInto(context, three, to);
  }
  const isElsewhere = template.was !== template.wanted;
  if (wanted.owner === "merged" && (isElsewhere || !same(was, wanted))) {
    const now = isElsewhere ? `, and the template to ${template.wanted}: yours stays` : "";
    const change = same(was, wanted) ? "" : "; the template's change to it was made here, too";
    context.draft.find(to, "moved", `you moved ${template.was} here${now}${change}`);
  }
}

function findDeleted(draft: Draft, path: string, called = "", more = ""): void {
  const message = `you deleted it${called}, so it stays deleted${more}`;
  draft.find(path, "stays-deleted", `${message} (--restore ${path} brings it back)`);
}

/** The template dropped the file. */
function decideDropped(
  context: MergeContext,
  path: string,
  was: TreeFile,
  own: DiskFile | undefined,
): void {
  const { draft, theirs } = context;
  if (!own) {
    findMoved(context, path);
    return;
  }
  const to = successorOf(context, path);
  const wanted = theirs.get(to ?? "");
  if (sameText(own.bytes, was.bytes)) {
    draft.delete(path);
  } else if (to !== undefined && wanted?.owner === "merged" && isFree(context, to)) {
    moveWithEdits(context, { was, wanted, own, template: { was: path, wanted: to } });
  } else {
    draft.find(path, "kept-edited", "the template has dropped it; it stays because you edited it");
  }
}

/** The template dropped a file that the user deleted or moved. */
function findMoved(context: MergeContext, path: string): void {
  const move = context.moved.get(path);
  // Where the template has it elsewhere, too, that place decides.
  if (move && successorOf(context, path) === undefined) {
    const kind = move.certain ? "kept-edited" : "maybe-moved";
    const here = move.certain ? "which you moved here" : "which you may have moved here";
    context.draft.find(move.to, kind, `the template has dropped ${path}, ${here}; it stays`);
  }
}

function isFree(context: MergeContext, path: string): boolean {
  return !context.mine.has(path) && blockerOf(context, path) === undefined;
}

/** The template moved the file; the user's edits move with it when they merge. */
function moveWithEdits(context: MergeContext, three: ThreeWay): void {
  const { draft } = context;
  const { was: from, wanted: to } = three.template;
  const refusal = tryMerge(context, three, to);
  if (refusal) {
    draft.write(to, three.wanted);
    draft.conflict({ path: from, ...refusal, beside: to });
  } else {
    draft.delete(from);
    draft.find(to, "moved", `the template moved ${from} here, and your edits with it`);
  }
}

/** The template added a file. */
function decideNew(
  context: MergeContext,
  path: string,
  wanted: TreeFile,
  own: DiskFile | undefined,
): void {
  const { draft, base, mine } = context;
  const [from] = [...context.replaced].find(([, move]) => move.certain && move.to === path) ?? [];
  const before = from === undefined ? undefined : mine.get(from);
  const old = base.get(from ?? "");
  if (own && sameText(own.bytes, wanted.bytes)) {
    draft.write(path, { bytes: own.bytes, mode: mergeMode(own.mode, own.mode, wanted.mode) });
  } else if (own && wanted.owner === "once" && areAlike(own, wanted)) {
    draft.find(path, "kept-yours", "you have it, with edits of yours; it stays as it is");
  } else if (own) {
    const message = "you have a file here, and so has the template";
    keepBoth(context, path, wanted, { kind: "taken", message });
  } else if (from !== undefined && old && !before && !context.restore.has(path)) {
    decideGone(context, { was: from, wanted: path }, old, wanted);
  } else if (!before || !old || sameText(before.bytes, old.bytes) || wanted.owner !== "merged") {
    draft.write(path, wanted);
  }
  // Otherwise the user's edits come with the file that it replaces.
}

/** The template has the file, but its earlier version is lost. */
function decideUnknown(
  context: MergeContext,
  path: string,
  wanted: TreeFile | undefined,
  own: DiskFile | undefined,
): void {
  const { draft } = context;
  if (!own && wanted && context.restore.has(path)) {
    draft.write(path, wanted);
  } else if (!own) {
    if (wanted) {
      findDeleted(draft, path);
    }
  } else if (!wanted) {
    draft.find(path, "kept-edited", "the template has dropped it; it stays because it was edited");
  } else if (wanted.owner === "once") {
    draft.find(path, "kept-yours", "it is yours, so it stays as it is");
  } else if (!sameText(own.bytes, wanted.bytes)) {
    const message =
      "what the template once wrote here is lost, so your edits cannot be told from it";
    keepBoth(context, path, wanted, { kind: "unknown-base", message });
  }
}

function decideBlocked(context: MergeContext, path: string, blocker: string): void {
  const { base, theirs } = context;
  const [was, wanted] = [base.get(path), theirs.get(path)];
  if (wanted && !(was && same(was, wanted))) {
    const sidecar = context.draft.writeSidecar(
      blocker,
      wanted,
      was?.bytes,
      path.slice(blocker.length),
    );
    const message = `${blocker} is in the way: no file can be written there`;
    context.draft.conflict({ path, kind: "blocked", message, beside: sidecar });
  }
}
