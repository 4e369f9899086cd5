import { isDeepStrictEqual } from "node:util";

import { alignItems } from "./items.ts";
import type { Note } from "./merged.ts";
import type { Entry, Node, Syntax } from "./node.ts";
import { orderOf } from "./order.ts";

interface Three {
  base: Node | undefined;
  mine: Node;
  theirs: Node;
}

/** Merges two documents key by key. Where both changed one value, the user's stands and a note says so. */
export function mergeNodes(syntax: Syntax, three: Three, notes: Note[]): Node {
  return merge({ syntax, notes, path: [] }, three);
}

interface Context {
  syntax: Syntax;
  notes: Note[];
  path: readonly string[];
}

function merge(context: Context, { base, mine, theirs }: Three): Node {
  if (mine.text === theirs.text || theirs.text === base?.text) {
    return mine;
  }
  if (mine.text === base?.text) {
    return theirs;
  }
  if (isCollection(mine) && mine.kind === theirs.kind) {
    const was = base?.kind === mine.kind ? base : undefined;
    return mergeEntries(context, was, mine, theirs);
  }
  return chooseValue(context, { base, mine, theirs });
}

function isCollection(node: Node): boolean {
  return node.kind !== "scalar";
}

function chooseValue({ syntax, notes, path }: Context, { base, mine, theirs }: Three): Node {
  if (equal(mine, theirs) || (base && equal(base, theirs))) {
    return mine;
  }
  if (base && equal(base, mine)) {
    return theirs;
  }
  const values = `yours is ${show(mine)}, the template's ${show(theirs)}`;
  const choice = syntax.choose(path, mine.value, theirs.value);
  const message = `${path.join(".")}: ${values}; ${choice?.why ?? "yours stays"}`;
  notes.push({ kind: choice ? "version" : "value", message });
  return choice?.take === "theirs" ? theirs : mine;
}

function mergeEntries(context: Context, was: Node | undefined, own: Node, other: Node): Node {
  const { base, mine, theirs } =
    own.kind === "list" ? alignItems(was, own, other) : { base: was, mine: own, theirs: other };
  const keys = { base: keysOf(base), mine: keysOf(mine), theirs: keysOf(theirs) };
  const named = { base: byKey(base), mine: byKey(mine), theirs: byKey(theirs) };
  // The empty list of one side says nothing about how to write the full one of the other.
  const like = mine.entries.length > 0 ? mine : theirs;
  const merged: Entry[] = [];
  let comments = "";
  for (const key of orderOf(keys, mine.kind)) {
    const three = {
      was: named.base.get(key),
      own: named.mine.get(key),
      other: named.theirs.get(key),
    };
    const entry = decideEntry(context, { key, ...three, theirs, like });
    if (entry) {
      merged.push(comments === "" ? entry : { ...entry, before: comments + entry.before });
      comments = "";
    } else if (three.own && three.was) {
      comments += context.syntax.commentsOf(three.own, three.was);
    }
  }
  // How an empty list is written, the template knows.
  return merged.length + theirs.entries.length === 0 && comments === ""
    ? theirs
    : context.syntax.rebuild(like, merged, comments);
}

interface EntryCase {
  key: string;
  was: Entry | undefined;
  own: Entry | undefined;
  other: Entry | undefined;
  theirs: Node;
  like: Node;
}

/** The entry of that key in the result; undefined when it is gone. */
function decideEntry(context: Context, entries: EntryCase): Entry | undefined {
  const { key, was, own, other, theirs, like } = entries;
  const path = [...context.path, key];
  if (own && other) {
    return mergeEntry({ ...context, path }, was, own, other, theirs, like);
  }
  if (own) {
    if (was && !equal(was.node, own.node)) {
      const message = `${path.join(".")}: the template dropped it; it stays because you changed it`;
      context.notes.push({ kind: "kept-edited", message });
      return own;
    }
    return was ? undefined : own;
  }
  if (was && other && !equal(was.node, other.node)) {
    const message = `${path.join(".")}: you deleted it; the template has ${show(other.node)} now`;
    context.notes.push({ kind: "stays-deleted", message });
  }
  return was || !other ? undefined : context.syntax.transplant(other, theirs, like);
}

function mergeEntry(
  context: Context,
  was: Entry | undefined,
  own: Entry,
  other: Entry,
  theirs: Node,
  like: Node,
): Entry {
  const moved = context.syntax.transplant(other, theirs, like);
  const node = merge(context, { base: was?.node, mine: own.node, theirs: moved.node });
  const pick = (of: (entry: Entry) => string, there: Entry) =>
    was && of(own) === of(was) ? of(there) : of(own);
  const before = pick((entry) => entry.before, moved);
  // A list on lines of its own begins elsewhere than one that stands behind its key.
  if (node !== moved.node || breaksLine(own) === breaksLine(moved)) {
    return { ...own, node, before, after: pick((entry) => entry.after, moved) };
  }
  const lost = was && own.after !== was.after ? own.after.trim() : "";
  return lost === "" ? { ...moved, before } : { ...moved, before: `${before}${lost}\n` };
}

function breaksLine({ head }: Entry): boolean {
  return head.includes("\n");
}

function equal(one: Node, two: Node): boolean {
  return isDeepStrictEqual(one.value, two.value);
}

function show({ value }: Node): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function keysOf(node: Node | undefined): string[] {
  return node?.entries.map(({ key }) => key) ?? [];
}

function byKey(node: Node | undefined): Map<string, Entry> {
  return new Map(node?.entries.map((entry) => [entry.key, entry]));
}
