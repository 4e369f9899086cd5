import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  parseAllDocuments,
  parseDocument,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";

import type { Entry, Node } from "./node.ts";
import { identityOf } from "./items.ts";

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
 * Reads plain YAML without losing a character of it.
 * @throws {Unsupported} when it does not parse, or has anchors, tags or an unusual layout.
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
  if (document.errors.length + document.warnings.length > 0) {
    throw new Unsupported("it does not parse");
  }
  visit(document, (_, node) => {
    const marked = (isScalar(node) || isCollection(node)) && (node.anchor ?? node.tag);
    if (isAlias(node) || marked) {
      throw new Unsupported("anchors and tags");
    }
  });
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
    return { entry: { key, before: "", head, node, after }, end: lineEnd };
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
    if (!isCollection(value) || /[\n#]/.test(text)) {
      return { kind: "scalar", value: this.#json(value), text, entries: [], layout };
    }
    const entries = itemsOf(value).map(({ name, start, value: inner }): Entry => {
      const node = this.#value(inner);
      const head = this.#source.slice(start, rangeOf(inner)[0]);
      return { key: name?.text ?? identityOf(node.value), before: "", head, node, after: "" };
    });
    const [open = "", close = ""] = isMap(value) ? ["{ ", " }"] : ["[", "]"];
    return { ...this.#describe(value), text, entries, layout: { ...layout, open, close } };
  }

  #describe(block: Block) {
    return { kind: isMap(block) ? ("map" as const) : ("list" as const), value: this.#json(block) };
  }

  #json(value: unknown): unknown {
    return isScalar(value) || isCollection(value) ? value.toJS(this.#document) : null;
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
      return { name: { text: String(isScalar(key) ? key.value : key), end }, start, value };
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

function rangeOf(value: unknown): [start: number, end: number] {
  const range = isScalar(value) || isCollection(value) ? value.range : undefined;
  if (!range) {
    throw new Unsupported("a value without a place");
  }
  return [range[0], range[1]];
}
