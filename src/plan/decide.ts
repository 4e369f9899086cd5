import type { Draft } from "./draft.ts";
import { sameText } from "./merge/three-way/encoding.ts";
import { keepBoth, mergeInto, type Three, tryMerge } from "./merge-into.ts";
import { mergeMode } from "./mode.ts";
import type { DiskFile } from "./plan.ts";
import { blockerOf, same, type Situation, successorOf } from "./situation.ts";
import type { TreeFile } from "./tree.ts";

/** Decides what becomes of one path. */
export function decide(situation: Situation, path: string): void {
  const { base, theirs, mine, unknown } = situation;
  const [was, wanted, own] = [base.get(path), theirs.get(path), mine.get(path)];
  const blocker = blockerOf(situation, path);
  if (blocker !== undefined) {
    decideBlocked(situation, path, blocker);
  } else if (unknown.has(path)) {
    decideUnknown(situation, path, wanted, own);
  } else if (was && wanted) {
    decideKept(situation, path, was, wanted, own);
  } else if (was) {
    decideDropped(situation, path, was, own);
  } else if (wanted) {
    decideNew(situation, path, wanted, own);
  }
}

/** The template has the file before and after. */
function decideKept(
  situation: Situation,
  path: string,
  was: TreeFile,
  wanted: TreeFile,
  own: DiskFile | undefined,
): void {
  const template = { was: path, wanted: path };
  if (own) {
    mergeInto(situation, { was, wanted, own, template }, path);
  } else if (situation.restore.has(path)) {
    situation.draft.write(path, wanted);
  } else {
    decideGone(situation, template, was, wanted);
  }
}

/** The template has the file, perhaps elsewhere now, and the user has it no more, or elsewhere. */
function decideGone(
  situation: Situation,
  template: Three["template"],
  was: TreeFile,
  wanted: TreeFile,
): void {
  const { draft } = situation;
  const move = situation.moved.get(template.was);
  const own = situation.mine.get(move?.to ?? "");
  if (move?.certain && own) {
    followMove(situation, { was, wanted, own, template }, move.to);
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

function followMove(situation: Situation, three: Three, to: string): void {
  const { was, wanted, template } = three;
  if (!same(was, wanted)) {
    mergeInto(situation, three, to);
  }
  const isElsewhere = template.was !== template.wanted;
  if (wanted.owner === "merged" && (isElsewhere || !same(was, wanted))) {
    const now = isElsewhere ? `, and the template to ${template.wanted}: yours stays` : "";
    const change = same(was, wanted) ? "" : "; the template's change to it was made here, too";
    situation.draft.find(to, "moved", `you moved ${template.was} here${now}${change}`);
  }
}

function findDeleted(draft: Draft, path: string, called = "", more = ""): void {
  const message = `you deleted it${called}, so it stays deleted${more}`;
  draft.find(path, "stays-deleted", `${message} (--restore ${path} brings it back)`);
}

/** The template has the file no more. */
function decideDropped(
  situation: Situation,
  path: string,
  was: TreeFile,
  own: DiskFile | undefined,
): void {
  const { draft, theirs } = situation;
  if (!own) {
    findMoved(situation, path);
    return;
  }
  const to = successorOf(situation, path);
  const wanted = theirs.get(to ?? "");
  if (sameText(own.bytes, was.bytes)) {
    draft.delete(path);
  } else if (to !== undefined && wanted?.owner === "merged" && isFree(situation, to)) {
    takeAlong(situation, { was, wanted, own, template: { was: path, wanted: to } });
  } else {
    draft.find(path, "kept-edited", "the template has dropped it; it stays because you edited it");
  }
}

/** The user does not have it there any more: elsewhere, perhaps. */
function findMoved(situation: Situation, path: string): void {
  const move = situation.moved.get(path);
  // Where the template has it elsewhere, too, that place decides.
  if (move && successorOf(situation, path) === undefined) {
    const kind = move.certain ? "kept-edited" : "maybe-moved";
    const here = move.certain ? "which you moved here" : "which you may have moved here";
    situation.draft.find(move.to, kind, `the template has dropped ${path}, ${here}; it stays`);
  }
}

function isFree(situation: Situation, path: string): boolean {
  return !situation.mine.has(path) && blockerOf(situation, path) === undefined;
}

/** The template moved the file, and the user's edits go with it, if they can. */
function takeAlong(situation: Situation, three: Three): void {
  const { draft } = situation;
  const { was: from, wanted: to } = three.template;
  const refusal = tryMerge(situation, three, to);
  if (refusal) {
    draft.write(to, three.wanted);
    draft.conflict({ path: from, ...refusal, beside: to });
  } else {
    draft.delete(from);
    draft.find(to, "moved", `the template moved ${from} here, and your edits with it`);
  }
}

/** The template has a file where it had none. */
function decideNew(
  situation: Situation,
  path: string,
  wanted: TreeFile,
  own: DiskFile | undefined,
): void {
  const { draft, base, mine } = situation;
  const [from] = [...situation.replaced].find(([, move]) => move.certain && move.to === path) ?? [];
  const before = from === undefined ? undefined : mine.get(from);
  const old = base.get(from ?? "");
  if (own && sameText(own.bytes, wanted.bytes)) {
    draft.write(path, { bytes: own.bytes, mode: mergeMode(own.mode, own.mode, wanted.mode) });
  } else if (own) {
    const message = "you have a file here, and so has the template";
    keepBoth(situation, path, wanted, { kind: "taken", message });
  } else if (from !== undefined && old && !before && !situation.restore.has(path)) {
    decideGone(situation, { was: from, wanted: path }, old, wanted);
  } else if (!before || !old || sameText(before.bytes, old.bytes) || wanted.owner !== "merged") {
    draft.write(path, wanted);
  }
  // Otherwise the user's edits come with the file that it replaces.
}

/** The template has the file, but what it wrote there the last time is lost. */
function decideUnknown(
  situation: Situation,
  path: string,
  wanted: TreeFile | undefined,
  own: DiskFile | undefined,
): void {
  const { draft } = situation;
  if (!own && wanted && situation.restore.has(path)) {
    draft.write(path, wanted);
  } else if (!own) {
    findDeleted(draft, path);
  } else if (!wanted) {
    draft.find(path, "kept-edited", "the template has dropped it; it stays because it was edited");
  } else if (wanted.owner === "once") {
    draft.find(path, "kept-yours", "it is yours, so it stays as it is");
  } else if (!sameText(own.bytes, wanted.bytes)) {
    const message =
      "what the template once wrote here is lost, so your edits cannot be told from it";
    keepBoth(situation, path, wanted, { kind: "unknown-base", message });
  }
}

function decideBlocked(situation: Situation, path: string, blocker: string): void {
  const { base, theirs } = situation;
  const [was, wanted] = [base.get(path), theirs.get(path)];
  if (wanted && !(was && same(was, wanted))) {
    const beside = situation.draft.writeBeside(
      blocker,
      wanted,
      was?.bytes,
      path.slice(blocker.length),
    );
    const message = `${blocker} is in the way: no file can be written there`;
    situation.draft.conflict({ path, kind: "blocked", message, beside });
  }
}
