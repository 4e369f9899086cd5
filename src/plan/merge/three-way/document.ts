import { isDeepStrictEqual } from "node:util";

import type { Note } from "./merged.ts";

/** A value in a text, with the very text that it stands as. */
export interface Node {
  kind: "map" | "list" | "scalar";
  value: unknown;
  text: string;
  /** The parts of a map or list; its text is made of them. */
  entries: readonly Entry[];
  /** What the format needs to write this node again. */
  layout: Layout;
}

/** A key with its value, or an item of a list. Its text is before + head + node + after. */
export interface Entry {
  /** The key, or, in a list, what tells the item from others. */
  key: string;
  /** Comments, blank lines and spaces before it. */
  before: string;
  /** The key as it is written, up to the value. */
  head: string;
  /** What YAML says of the value in the head: its anchor and its tag. */
  marks?: string;
  node: Node;
  /** What follows the value in its line. */
  after: string;
}

export interface Layout {
  /** Between brackets, and not one entry a line. */
  flow: boolean;
  /** How deep the entries of a block are indented. */
  indent: number;
  /** The first entry goes on in the line of its parent. */
  inline: boolean;
  open: string;
  close: string;
}

/** How a format is written. */
export interface Syntax {
  /** The node with these entries, in the layout of the given one, and comments after the last. */
  rebuild(like: Node, entries: readonly Entry[], rest: string): Node;
  /** The entry as it would be written in another node. */
  transplant(entry: Entry, from: Node, into: Node): Entry;
  /** The user's own comments that stay when an entry is removed. */
  commentsOf(mine: Entry, base: Entry): string;
  /** The first of two values that both sides changed; undefined when neither is a version. */
  choose(path: readonly string[], values: Values): Choice | undefined;
}

/** A value that both sides changed. */
export interface Values {
  base: unknown;
  mine: unknown;
  theirs: unknown;
}

/** A decision between two values. */
export interface Choice {
  value: unknown;
  why: string;
}

/** What a map or list with these entries stands for. */
export function valueOf(kind: "map" | "list", entries: readonly Entry[]): unknown {
  return kind === "list"
    ? entries.map(({ marks, node }) => markedValue(marks, node.value))
    : Object.fromEntries(
        entries.map(({ key, marks, node }) => [key, markedValue(marks, node.value)]),
      );
}

/** A value with an anchor or a tag, which is another value than the same without. */
class Marked {
  readonly marks: string;
  readonly value: unknown;

  constructor(marks: string, value: unknown) {
    this.marks = marks;
    this.value = value;
  }
}

/** What a value with these marks stands for. */
export function markedValue(marks: string | undefined, value: unknown): unknown {
  return marks === undefined || marks === "" ? value : new Marked(marks, value);
}

interface ThreeWay {
  base: Node | undefined;
  mine: Node;
  theirs: Node;
}

/** Merges two documents key by key. Where both changed one value, the user's stands and a note says so. */
export function mergeNodes(syntax: Syntax, three: ThreeWay, notes: Note[]): Node {
  return merge({ syntax, notes, path: [] }, three);
}

interface Context {
  syntax: Syntax;
  notes: Note[];
  path: readonly string[];
}

function merge(context: Context, { base, mine, theirs }: ThreeWay): Node {
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

function chooseValue({ syntax, notes, path }: Context, { base, mine, theirs }: ThreeWay): Node {
  if (equal(mine, theirs) || (base && equal(base, theirs))) {
    return mine;
  }
  if (base && equal(base, mine)) {
    return theirs;
  }
  const values = `yours is ${show(mine)}, the template's ${show(theirs)}`;
  const all = { base: base?.value, mine: mine.value, theirs: theirs.value };
  const choice = syntax.choose(path, all);
  const message = `${path.join(".")}: ${values}; ${choice?.why ?? "yours stays"}`;
  notes.push({ kind: choice ? "version" : "value", message });
  if (!choice || choice.value === mine.value) {
    return mine;
  }
  const { value } = choice;
  return value === theirs.value ? theirs : { ...theirs, value, text: JSON.stringify(value) };
}

function mergeEntries(context: Context, was: Node | undefined, own: Node, other: Node): Node {
  const { base, mine, theirs } =
    own.kind === "list" ? alignItems(was, own, other) : { base: was, mine: own, theirs: other };
  const keys = { base: keysOf(base), mine: keysOf(mine), theirs: keysOf(theirs) };
  if (mine.kind === "list" && base && areAllDifferent(keys)) {
    const message = `${context.path.join(".")}: both of you changed this list; it has the changes of both`;
    context.notes.push({ kind: "list", message });
  }
  const named = { base: byKey(base), mine: byKey(mine), theirs: byKey(theirs) };
  // An empty list does not show how its items are written.
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
  // An empty list is written as the template writes it.
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
    // A list at the top, such as the include of compose.yaml, is a set of things: those of the template go.
    if (was?.node.kind === "list" && own.node.kind === "list" && context.path.length === 0) {
      const none = { ...was.node, value: [], text: "", entries: [] };
      const node = mergeEntries({ ...context, path }, was.node, own.node, none);
      return node.entries.length === 0 ? undefined : { ...own, node };
    }
    if (was && !sameEntry(was, own)) {
      const message = `${path.join(".")}: the template dropped it; it stays because you changed it`;
      context.notes.push({ kind: "kept-edited", message });
      return own;
    }
    return was ? undefined : own;
  }
  if (was && other && !sameEntry(was, other)) {
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
  // A list on its own lines starts elsewhere than a list on the line of its key.
  if (node !== moved.node || breaksLine(own) === breaksLine(moved)) {
    const after = pick((entry) => entry.after, moved);
    // Its head stands as it is in front of another kind of value only.
    const isChanged = was?.head === own.head && breaksLine(own) === breaksLine(moved);
    return { ...(isChanged ? moved : own), node, before, after };
  }
  const lost = was && own.after !== was.after ? own.after.trim() : "";
  return lost === "" ? { ...moved, before } : { ...moved, before: `${before}${lost}\n` };
}

function breaksLine({ head }: Entry): boolean {
  return head.includes("\n");
}

function sameEntry(one: Entry, two: Entry): boolean {
  return (one.marks ?? "") === (two.marks ?? "") && equal(one.node, two.node);
}

function equal(one: Node, two: Node): boolean {
  return isDeepStrictEqual(one.value, two.value);
}

function show({ value }: Node): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function areAllDifferent(keys: Record<"base" | "mine" | "theirs", string[]>): boolean {
  const [base, mine, theirs] = [keys.base, keys.mine, keys.theirs].map((list) => list.join("\n"));
  return base !== mine && base !== theirs && mine !== theirs;
}

function keysOf(node: Node | undefined): string[] {
  return node?.entries.map(({ key }) => key) ?? [];
}

function byKey(node: Node | undefined): Map<string, Entry> {
  return new Map(node?.entries.map((entry) => [entry.key, entry]));
}

/** Gives the items of three lists the same key where they are the same item, edited or not. */
export function alignItems(
  base: Node | undefined,
  mine: Node,
  theirs: Node,
): { base: Node | undefined; mine: Node; theirs: Node } {
  const was = base && { ...base, entries: numbered(base.entries) };
  const known = was?.entries ?? [];
  return {
    base: was,
    mine: { ...mine, entries: numbered(alignTo(known, mine.entries)) },
    theirs: { ...theirs, entries: numbered(alignTo(known, theirs.entries)) },
  };
}

function alignTo(base: readonly Entry[], side: readonly Entry[]): Entry[] {
  const free = new Set(base);
  const keys = new Map<Entry, string>();
  const match = (isSame: (old: Entry, item: Entry) => boolean) => {
    for (const item of side.filter((entry) => !keys.has(entry))) {
      const old = [...free].find((entry) => isSame(entry, item));
      if (old) {
        keys.set(item, old.key);
        free.delete(old);
      }
    }
  };
  match((old, item) => isDeepStrictEqual(old.node.value, item.node.value));
  match((old, item) => old.key.split(REPEATED)[0] === item.key);
  return side.map((entry) => ({ ...entry, key: keys.get(entry) ?? entry.key }));
}

const REPEATED = " number ";

/** Numbers the keys that several items share. */
function numbered(entries: readonly Entry[]): Entry[] {
  const taken = new Set<string>();
  return entries.map((entry) => {
    let key = entry.key;
    for (let count = 2; taken.has(key); count += 1) {
      key = `${entry.key}${REPEATED}${count}`;
    }
    taken.add(key);
    return { ...entry, key };
  });
}

// The keys that name an item in the lists of a service: panels, alerts, statements, steps.
const NAMES = ["id", "uid", "sid", "Sid", "alert", "record", "name", "key"];
const KINDS = ["type", "metric", "effect", "title", "path", "uses", "port"];

/** What identifies an item in its list, also after an edit. */
export function identityOf(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return JSON.stringify(value);
  }
  const fields = new Map(Object.entries(value));
  const name = NAMES.find((key) => fields.has(key));
  const telling = [...(name === undefined ? KINDS : ["type", name])].filter((key) =>
    ["string", "number"].includes(typeof fields.get(key)),
  );
  return telling.length > 0
    ? telling.map((key) => `${key} ${String(fields.get(key))}`).join(", ")
    : JSON.stringify(value);
}

/** The template's order, unless the user has another. A key that only one side has follows its predecessor. */
export function orderOf(
  { base, mine, theirs }: Record<"base" | "mine" | "theirs", string[]>,
  kind: Node["kind"],
): string[] {
  if (kind === "map" && theirs.length > 1) {
    const sort = SORTS.find((compare) => isSorted(mine, compare) && isSorted(theirs, compare));
    if (sort) {
      return [...new Set([...mine, ...theirs])].sort(sort);
    }
  }
  const common = mine.filter((key) => base.includes(key));
  const reordered = common.join("\n") !== base.filter((key) => mine.includes(key)).join("\n");
  return reordered ? interleave(mine, theirs) : interleave(theirs, mine);
}

const SORTS = [
  (a: string, b: string) => a.localeCompare(b, "en"),
  (a: string, b: string) => (a < b ? -1 : Number(a > b)),
];

function isSorted(keys: readonly string[], compare: (a: string, b: string) => number): boolean {
  return keys.every((key, index) => index === 0 || compare(keys[index - 1] ?? "", key) < 0);
}

/** All of one order, and the rest of the other, each after its predecessor there. */
function interleave(main: readonly string[], other: readonly string[]): string[] {
  const woven = [...main];
  other.forEach((key, index) => {
    if (!main.includes(key)) {
      const predecessor = other[index - 1];
      woven.splice(predecessor === undefined ? 0 : woven.indexOf(predecessor) + 1, 0, key);
    }
  });
  return woven;
}
