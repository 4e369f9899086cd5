import { isDeepStrictEqual } from "node:util";

import { sameApartFromFormatting } from "./formatting.ts";
import type { Update } from "./merge-context.ts";
import { decode, equal, plain, sameText, split } from "./merge/three-way/encoding.ts";
import { indentOf, reindent } from "./merge/three-way/json.ts";
import { hunksOf } from "./merge/three-way/text.ts";
import { STATE_FILE } from "./state.ts";
import type { TreeFile } from "./tree.ts";

/** What the template once wrote and writes now, and what the team has made of it. */
export type Trees = Pick<Update, "base" | "theirs" | "mine">;

/** Files by path, on either side, before or after they were formatted. */
export interface Sides {
  base: ReadonlyMap<string, Uint8Array>;
  theirs: ReadonlyMap<string, Uint8Array>;
}

/** The result where no formatter ran. */
export const UNFORMATTED: Sides = { base: new Map(), theirs: new Map() };

/**
 * The files whose format matters: those that the plan will write, or compare with an edited file of
 * the team's. What neither side changed is left out, because formatting takes time.
 */
export function filesToFormat({ base, theirs, mine }: Trees): Sides {
  const sides = { base: new Map<string, Uint8Array>(), theirs: new Map<string, Uint8Array>() };
  for (const path of new Set([...base.keys(), ...theirs.keys()])) {
    const [was, wanted, own] = [base.get(path), theirs.get(path), mine.get(path)];
    const isReformatted =
      was &&
      own &&
      !sameText(own.bytes, was.bytes) &&
      sameApartFromFormatting(path, was.bytes, own.bytes);
    const isDecided = own ? was && wanted && equal(was.bytes, wanted.bytes) : !wanted;
    if (path === STATE_FILE || isDecided || (isReformatted && !wanted)) {
      continue;
    }
    // A file that the team only reformatted is its own base.
    if (was && !isReformatted && !(own && !wanted && sameText(own.bytes, was.bytes))) {
      sides.base.set(path, was.bytes);
    }
    if (wanted) {
      sides.theirs.set(path, wanted.bytes);
    }
  }
  const [state, record] = [theirs.get(STATE_FILE), mine.get(STATE_FILE)];
  if (sides.theirs.size > 0 && state && record) {
    sides.base.set(STATE_FILE, record.bytes);
    sides.theirs.set(STATE_FILE, state.bytes);
  }
  return sides;
}

/**
 * Both renders as the team would have formatted them, so that a difference in format is no edit. Where
 * the team keeps a file as the template formats it, so do they.
 */
export function inTeamStyle(trees: Trees, formatted: Sides): Pick<Trees, "base" | "theirs"> {
  const base = new Map<string, TreeFile>(trees.base);
  const theirs = new Map<string, TreeFile>(trees.theirs);
  for (const path of new Set([...base.keys(), ...theirs.keys()])) {
    if (path !== STATE_FILE) {
      const { was, wanted } = restyled(trees, formatted, path);
      put(base, path, was);
      put(theirs, path, wanted);
    }
  }
  put(theirs, STATE_FILE, stateInTeamStyle(trees, formatted));
  return { base, theirs };
}

function put(tree: Map<string, TreeFile>, path: string, bytes: Uint8Array | undefined): void {
  const file = tree.get(path);
  if (file && bytes) {
    tree.set(path, { ...file, bytes });
  }
}

interface Restyled {
  was?: Uint8Array | undefined;
  wanted?: Uint8Array | undefined;
}

function restyled({ base, theirs, mine }: Trees, formatted: Sides, path: string): Restyled {
  const [was, wanted, own] = [base, theirs, mine].map((tree) => tree.get(path)?.bytes);
  const styled = {
    was: formatted.base.get(path) ?? was,
    wanted: formatted.theirs.get(path) ?? wanted,
  };
  if (!own) {
    return styled;
  }
  // With plain line ends, so that the merge knows the user's own for a style to keep.
  const text = decode(own);
  const unedited = text?.includes("\r\n") === true ? Buffer.from(plain(text)) : own;
  const isOwn = (bytes: Uint8Array | undefined) =>
    bytes !== undefined && (sameText(bytes, own) || sameApartFromFormatting(path, bytes, own));
  if (!was) {
    return { wanted: isOwn(styled.wanted) ? own : styled.wanted };
  }
  if (sameText(was, own)) {
    // The formatter does not apply here, unless it leaves the file as it is.
    return styled.was && sameText(styled.was, own) ? styled : { was, wanted };
  }
  if (isOwn(was) || isOwn(styled.was)) {
    const isSame = wanted && equal(was, wanted);
    return { was: unedited, wanted: isSame ? unedited : styled.wanted };
  }
  return styled.was && distance(styled.was, own) < distance(was, own) ? styled : { was, wanted };
}

/** How many lines differ. */
function distance(one: Uint8Array, two: Uint8Array): number {
  const [first, second] = [one, two].map((bytes) => split(plain(decode(bytes) ?? "")).lines);
  return hunksOf(first ?? [], second ?? [])
    .map(({ start, end, sideStart, sideEnd }) => Math.max(end - start, sideEnd - sideStart))
    .reduce((sum, lines) => sum + lines, 0);
}

/** The new record in the format of the old one; the old one itself when it says the same. */
function stateInTeamStyle({ theirs, mine }: Trees, formatted: Sides): Uint8Array | undefined {
  const [state, record] = [theirs, mine].map((tree) => tree.get(STATE_FILE)?.bytes);
  if (!state || !record) {
    return state;
  }
  const [wanted, own] = [state, record].map((bytes) => decode(bytes) ?? "");
  if (wanted === undefined || own === undefined || sameJson(wanted, own)) {
    return record;
  }
  const [before, after] = [formatted.base.get(STATE_FILE), formatted.theirs.get(STATE_FILE)];
  const isFormatted = before && after && sameText(before, record);
  // A formatter that ignores the record leaves both as they are, so the indentation is still to do.
  const text = isFormatted ? decode(after) : wanted;
  return Buffer.from(reindent(text ?? wanted, indentOf(plain(own))));
}

function sameJson(one: string, two: string): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(one), JSON.parse(two));
  } catch {
    return false;
  }
}
