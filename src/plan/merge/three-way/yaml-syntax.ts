import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";

import type { Entry, Node } from "./document.ts";
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
  const { node, end } = new Reader(source, document).block(contents as Block, 0);
  return { root: node, after: source.slice(end) };
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
    const starts = isMap(block) ? block.items.map(keyStart) : dashes(block);
    const first = starts[0] ?? 0;
    const line = this.#lineStart(first);
    const inline = line < from;
    const indent = first - line;
    const entries: Entry[] = [];
    let end = from;
    starts.forEach((start, index) => {
      const lineStart = index === 0 && inline ? from : this.#lineStart(start);
      if (!(index === 0 && inline) && this.#source.slice(lineStart, start) !== " ".repeat(indent)) {
        throw new Unsupported("entries that do not stand below each other");
      }
      const before = this.#source.slice(end, lineStart);
      const read = this.#entry(block, index, start);
      entries.push({ ...read.entry, before });
      end = read.end;
    });
    const text = this.#source.slice(from, end);
    const layout = { flow: false, indent, inline, open: "", close: "" };
    return { node: { ...this.#describe(block), text, entries, layout }, end };
  }

  #entry(block: Block, index: number, start: number): { entry: Entry; end: number } {
    const item = block.items[index];
    const value = isMap(block) ? (item as Pair).value : item;
    const name = isMap(block) ? String((item as Pair<{ value: unknown }>).key.value) : undefined;
    const { head, node, end } =
      isCollection(value) && !value.flow
        ? this.#nested(
            value as Block,
            start,
            name === undefined ? start + 1 : this.#colon(item as Pair),
          )
        : this.#plain(value, start);
    const key = name ?? identityOf(node.value);
    // The text of a block ends with its last line; what follows a short value belongs to its line.
    const lineEnd = this.#source[end - 1] === "\n" ? end : this.#lineEnd(end);
    const after = this.#source.slice(end, lineEnd);
    return { entry: { key, before: "", head, node, after }, end: lineEnd };
  }

  /** A value that is a block of its own, in the same line or below it. */
  #nested(value: Block, start: number, marker: number): Read & { head: string } {
    const first = isMap(value) ? keyStart(value.items[0] as Pair) : (dashes(value)[0] ?? 0);
    const sameLine = first < this.#lineEnd(marker);
    const from = sameLine ? first : this.#lineEnd(marker);
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
    const entries = value.items.map((item): Entry => {
      const node = this.#value(isMap(value) ? (item as Pair).value : item);
      const start = isMap(value) ? keyStart(item as Pair) : rangeOf(item)[0];
      const head = this.#source.slice(
        start,
        rangeOf(isMap(value) ? (item as Pair).value : item)[0],
      );
      const key = isMap(value)
        ? String((item as Pair<{ value: unknown }>).key.value)
        : identityOf(node.value);
      return { key, before: "", head, node, after: "" };
    });
    const [open = "", close = ""] = isMap(value) ? ["{ ", " }"] : ["[", "]"];
    return { ...this.#describe(value as Block), text, entries, layout: { ...layout, open, close } };
  }

  #describe(block: Block) {
    return { kind: isMap(block) ? ("map" as const) : ("list" as const), value: this.#json(block) };
  }

  #json(value: unknown): unknown {
    return isScalar(value) || isCollection(value) ? value.toJS(this.#document) : null;
  }

  #colon({ key }: Pair): number {
    return this.#source.indexOf(":", rangeOf(key)[1]);
  }

  #lineStart(position: number): number {
    return this.#source.lastIndexOf("\n", position - 1) + 1;
  }

  #lineEnd(position: number): number {
    const found = this.#source.indexOf("\n", position);
    return found === -1 ? this.#source.length : found + 1;
  }
}

function keyStart(pair: Pair): number {
  return rangeOf(pair.key)[0];
}

function dashes(list: YAMLSeq): number[] {
  const token = list.srcToken;
  if (token?.type !== "block-seq") {
    throw new Unsupported("a list without dashes");
  }
  return token.items.flatMap(
    ({ start }) => start.find(({ type }) => type === "seq-item-ind")?.offset ?? [],
  );
}

function rangeOf(value: unknown): [start: number, end: number] {
  const range = isScalar(value) || isCollection(value) ? value.range : undefined;
  if (!range) {
    throw new Unsupported("a value without a place");
  }
  return [range[0], range[1]];
}
