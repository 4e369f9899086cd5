import { isDeepStrictEqual } from "node:util";

import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  parseAllDocuments,
  parseDocument,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";

import {
  type Entry,
  identityOf,
  markedValue,
  mergeNodes,
  type Node,
  type Syntax,
  valueOf,
} from "./document.ts";
import { plain, restyle } from "./encoding.ts";
import type { Merged, Note } from "./merged.ts";

/**
 * Merges YAML key by key; comments and every line that nobody changed stay as they are. Undefined for
 * YAML that is written in a way that does not allow it.
 */
export function mergeYaml(base: string, mine: string, theirs: string): Merged | undefined {
  try {
    const [was, own, other] = [
      parseYaml(plain(base)),
      parseYaml(plain(mine)),
      parseYaml(plain(theirs)),
    ];
    const notes: Note[] = [];
    const three = { base: was.root, mine: own.root, theirs: other.root };
    const root = mergeNodes(SYNTAX, three, notes);
    const text = root.text + (own.after === was.after ? other.after : own.after);
    if (!isDeepStrictEqual(parseYaml(text).root.value, root.value)) {
      return undefined;
    }
    return { text: restyle(text, base, mine, theirs), conflicts: 0, notes };
  } catch (error) {
    if (error instanceof Unsupported) {
      return undefined;
    }
    throw error;
  }
}

const SYNTAX: Syntax = { rebuild, transplant, commentsOf, choose: () => undefined };

function rebuild(like: Node, entries: readonly Entry[], rest: string): Node {
  const { layout } = like;
  const kind = like.kind === "list" ? "list" : "map";
  const value = valueOf(kind, entries);
  if (layout.flow) {
    const parts = entries.map(({ head, node }) => head + node.text);
    const text = layout.open + parts.join(", ") + layout.close;
    return { kind, value, text, entries, layout };
  }
  const lines = entries.map(({ before, head, node, after }, index) => {
    const first = index === 0 && layout.inline;
    if (first && before !== "") {
      throw new Unsupported("a comment in the middle of a line");
    }
    return before + (first ? "" : " ".repeat(layout.indent)) + head + node.text + after;
  });
  return { kind, value, text: lines.join("") + rest, entries, layout };
}

function transplant(entry: Entry, from: Node, into: Node): Entry {
  if (into.layout.flow) {
    return from.layout.flow ? entry : { ...entry, before: "", after: "" };
  }
  if (from.layout.flow) {
    const head = into.kind === "list" ? "- " : entry.head;
    return { ...entry, head, after: "\n" };
  }
  return shiftEntry(entry, into.layout.indent - from.layout.indent);
}

function shiftEntry(entry: Entry, by: number): Entry {
  return by === 0
    ? entry
    : { ...entry, before: shiftLines(entry.before, by), node: shiftNode(entry.node, by) };
}

function shiftNode(node: Node, by: number): Node {
  const { layout, text } = node;
  const block = !layout.flow && !layout.inline;
  return {
    ...node,
    text: block ? shiftLines(text, by) : text.replace(/\n[^]*/, (rest) => shiftLines(rest, by)),
    entries: layout.flow ? node.entries : node.entries.map((entry) => shiftEntry(entry, by)),
    layout: { ...layout, indent: layout.indent + by },
  };
}

function shiftLines(text: string, by: number): string {
  return text.replace(/^ *(?=[^ \n])/gm, (space) => " ".repeat(Math.max(0, space.length + by)));
}

function commentsOf(mine: Entry, base: Entry): string {
  const known = commentsIn(base);
  const own = commentsIn(mine).filter((comment) => !known.includes(comment));
  return own.map((comment) => `${comment}\n`).join("");
}

function commentsIn({ before, head, node, after }: Entry): string[] {
  return `${before}${head}${node.text}${after}`.match(/(?<=^|\s)#.*/gm) ?? [];
}

/** YAML that is written in a way that cannot be merged by key. */
export class Unsupported extends Error {
  override readonly name = "Unsupported";
}

/** A document, and what follows its last line. */
export interface YamlText {
  root: Node;
  after: string;
}

/**
 * Reads YAML without losing a character of it.
 * @throws {Unsupported} when it does not parse, or has an unusual layout.
 */
export function parseYaml(source: string): YamlText {
  const document = parseDocument(source, { keepSourceTokens: true, logLevel: "silent" });
  refuseUnusual(document);
  const { contents } = document;
  if (!isCollection(contents) || contents.flow) {
    throw new Unsupported("no block at the top");
  }
  const { node, end } = new Reader(source, document).block(contents, 0);
  return { root: node, after: source.slice(end) };
}

/** Whether every document of a text parses, however it is written. */
export function isYaml(source: string): boolean {
  return parseAllDocuments(source, { logLevel: "silent" }).every(
    ({ errors }) => errors.length === 0,
  );
}

function refuseUnusual(document: Document.Parsed): void {
  // Tags are for the program that reads the file, such as Docker's !reset.
  const warnings = document.warnings.filter(({ code }) => code !== "TAG_RESOLVE_FAILED");
  if (document.errors.length + warnings.length > 0) {
    throw new Unsupported("it does not parse");
  }
  try {
    document.toJS();
  } catch {
    throw new Unsupported("an alias without its anchor");
  }
}

/** An anchor and a tag, as far as a value has them. */
function marksOf(value: unknown): string {
  const { anchor, tag } = isScalar(value) || isCollection(value) ? value : {};
  return [anchor === undefined ? [] : `&${anchor}`, tag ?? []].flat().join(" ");
}

/** An alias, which stands for the value of an anchor. */
class Alias {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  toJSON(): string {
    return `*${this.name}`;
  }
}

type Block = YAMLMap | YAMLSeq;

interface Read {
  node: Node;
  /** Where the next line begins. */
  end: number;
}

class Reader {
  readonly #source: string;
  readonly #document: Document;

  constructor(source: string, document: Document) {
    this.#source = source;
    this.#document = document;
  }

  /** Reads a map or list that has a line, or more, for each entry. */
  block(block: Block, from: number): Read {
    const items = itemsOf(block);
    const first = items[0]?.start ?? 0;
    const line = this.#lineStart(first);
    const inline = line < from;
    const indent = first - line;
    const entries: Entry[] = [];
    let end = from;
    for (const item of items) {
      const goesOn = inline && entries.length === 0;
      const lineStart = goesOn ? from : this.#lineStart(item.start);
      if (!goesOn && this.#source.slice(lineStart, item.start) !== " ".repeat(indent)) {
        throw new Unsupported("entries that do not stand below each other");
      }
      const read = this.#entry(item);
      entries.push({ ...read.entry, before: this.#source.slice(end, lineStart) });
      end = read.end;
    }
    const text = this.#source.slice(from, end);
    const layout = { flow: false, indent, inline, open: "", close: "" };
    return { node: { ...this.#describe(block), text, entries, layout }, end };
  }

  #entry({ name, start, value }: Item): { entry: Entry; end: number } {
    const read =
      isCollection(value) && !value.flow
        ? this.#nested(value, start, name)
        : this.#plain(value, start);
    const { head, node, end } = read;
    // The text of a block ends with its last line; what follows a short value belongs to its line.
    const lineEnd = this.#source[end - 1] === "\n" ? end : this.#lineEnd(end);
    const after = this.#source.slice(end, lineEnd);
    const key = name?.text ?? identityOf(node.value);
    const marks = marksOf(value);
    if (!marks.split(" ").every((mark) => head.includes(mark.replace(/^tag:.*:/, "!!")))) {
      throw new Unsupported("an anchor or a tag on a line of its own");
    }
    return { entry: { key, before: "", head, marks, node, after }, end: lineEnd };
  }

  /** A value that is a block of its own, in the same line or below it. */
  #nested(value: Block, start: number, name: Item["name"]): Read & { head: string } {
    const first = itemsOf(value)[0]?.start ?? 0;
    const lineEnd = this.#lineEnd(name ? this.#source.indexOf(":", name.end) : start);
    const from = first < lineEnd ? first : lineEnd;
    return { ...this.block(value, from), head: this.#source.slice(start, from) };
  }

  #plain(value: unknown, start: number): Read & { head: string } {
    const [from, end] = rangeOf(value);
    return { node: this.#value(value), end, head: this.#source.slice(start, from) };
  }

  /** A scalar, or a list between brackets. */
  #value(value: unknown): Node {
    const [from, end] = rangeOf(value);
    const text = this.#source.slice(from, end);
    const layout = { flow: true, indent: 0, inline: false, open: "", close: "" };
    if (!isCollection(value) || /[\n#]/.test(text) || hasMarks(value)) {
      return { kind: "scalar", value: this.#json(value), text, entries: [], layout };
    }
    const entries = itemsOf(value).map(({ name, start, value: inner }): Entry => {
      const node = this.#value(inner);
      const head = this.#source.slice(start, rangeOf(inner)[0]);
      return { key: name?.text ?? identityOf(node.value), before: "", head, node, after: "" };
    });
    const [open = "", close = ""] = /^[{[] *(?=[^ \]}])/.test(text)
      ? [/^. */.exec(text)?.[0], / *.$/.exec(text)?.[0]]
      : isMap(value)
        ? ["{ ", " }"]
        : ["[", "]"];
    return { ...this.#describe(value), text, entries, layout: { ...layout, open, close } };
  }

  #describe(block: Block) {
    return { kind: isMap(block) ? ("map" as const) : ("list" as const), value: this.#json(block) };
  }

  #json(value: unknown): unknown {
    const inner = (part: unknown) => markedValue(marksOf(part), this.#json(part));
    if (isAlias(value)) {
      return new Alias(value.source);
    }
    if (isMap(value)) {
      return Object.fromEntries(value.items.map((pair) => [keyOf(pair.key), inner(pair.value)]));
    }
    if (isSeq(value)) {
      return value.items.map(inner);
    }
    return isScalar(value) ? value.toJS(this.#document) : null;
  }

  #lineStart(position: number): number {
    return this.#source.lastIndexOf("\n", position - 1) + 1;
  }

  #lineEnd(position: number): number {
    const found = this.#source.indexOf("\n", position);
    return found === -1 ? this.#source.length : found + 1;
  }
}

/** An entry of a map, or an item of a list. */
interface Item {
  name: { text: string; end: number } | undefined;
  /** Where its key is, or its dash, or, between brackets, the item itself. */
  start: number;
  value: unknown;
}

function itemsOf(block: Block): Item[] {
  if (isMap(block)) {
    return block.items.map(({ key, value }) => {
      const [start, end] = rangeOf(key);
      return { name: { text: keyOf(key), end }, start, value };
    });
  }
  const token = block.srcToken;
  const dashes =
    token?.type === "block-seq"
      ? token.items.map(({ start }) => start.find(({ type }) => type === "seq-item-ind")?.offset)
      : [];
  return block.items.map((value, index) => {
    const start = dashes[index] ?? rangeOf(value)[0];
    return { name: undefined, start, value };
  });
}

function keyOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

/** Whether something between brackets has an anchor or a tag. */
function hasMarks(block: Block): boolean {
  let found = false;
  visit(block, (_, node) => {
    found ||= node !== block && marksOf(node) !== "";
  });
  return found;
}

function rangeOf(value: unknown): [start: number, end: number] {
  const range = isNode(value) ? value.range : undefined;
  if (!range) {
    throw new Unsupported("a value without a place");
  }
  return [range[0], range[1]];
}
