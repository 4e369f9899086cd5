import { isDeepStrictEqual } from "node:util";

import { type Entry, identityOf, mergeNodes, type Node, type Syntax, valueOf } from "./document.ts";
import { plain, restyle } from "./encoding.ts";
import type { Merged, Note } from "./merged.ts";
import { chooseVersion } from "./versions.ts";

/**
 * Merges JSON key by key. It never writes conflict markers: what both changed stays as the user has it.
 * Undefined when one of the texts is not JSON.
 */
export function mergeJson(base: string, mine: string, theirs: string): Merged | undefined {
  return mergeWith(base, mine, theirs, () => undefined);
}

const VERSIONS = new Set([
  "dependencies",
  "devDependencies",
  "optionalDependencies",
  "peerDependencies",
]);

/** The same for package.json, in which the higher of two versions wins. */
export function mergePackageJson(base: string, mine: string, theirs: string): Merged | undefined {
  return mergeWith(base, mine, theirs, (path, values) =>
    VERSIONS.has(path[0] ?? "") && path.length === 2 ? chooseVersion(values) : undefined,
  );
}

function mergeWith(
  base: string,
  mine: string,
  theirs: string,
  choose: Syntax["choose"],
): Merged | undefined {
  const own = plain(mine);
  const unit = indentOf(own);
  const [was, parsed, wanted] = [
    reindent(plain(base), unit),
    own,
    reindent(plain(theirs), unit),
  ].map(parseJson);
  if (!was || !parsed || !wanted) {
    return undefined;
  }
  const notes: Note[] = [];
  const three = { base: was.root, mine: parsed.root, theirs: wanted.root };
  const root = mergeNodes(jsonSyntax(choose), three, notes);
  const text = parsed.before + root.text + parsed.after;
  // Checks the text against the merged value; odd white space could have broken it.
  const safe = isDeepStrictEqual(parseJson(text)?.root.value, root.value)
    ? text
    : `${JSON.stringify(root.value, null, unit)}\n`;
  return { text: restyle(safe, base, mine, theirs), conflicts: 0, notes };
}

const TOKEN =
  /(?<space>(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)+)|(?<text>"(?:[^"\\\n]|\\.)*"|[{}[\],:]|[^\s{}[\],:"/]+)/y;

/**
 * Reads JSON, also with comments and trailing commas, without losing a character of it; undefined when
 * it is not JSON.
 */
export function parseJson(
  source: string,
): { before: string; root: Node; after: string } | undefined {
  try {
    const reader = new Reader(source);
    const before = reader.space();
    const root = reader.node();
    const after = reader.space();
    return reader.atEnd ? { before, root, after } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

class Reader {
  readonly #source: string;
  #position = 0;

  constructor(source: string) {
    this.#source = source;
  }

  get atEnd(): boolean {
    return this.#position === this.#source.length;
  }

  space(): string {
    const found = this.#match()?.groups?.["space"] ?? "";
    this.#position += found.length;
    return found;
  }

  node(): Node {
    const token = this.#token();
    if (token === "{") {
      return this.#collection("map", "{", "}");
    }
    if (token === "[") {
      return this.#collection("list", "[", "]");
    }
    const layout = { flow: false, indent: 0, inline: false, open: "", close: "" };
    return { kind: "scalar", value: JSON.parse(token), text: token, entries: [], layout };
  }

  #collection(kind: "map" | "list", open: string, end: string): Node {
    const start = this.#position - 1;
    const entries: Entry[] = [];
    let space = this.space();
    let comma = "";
    while (this.#peek() !== end) {
      const entry = this.#entry(kind, space);
      if (kind === "map" && entries.some(({ key }) => key === entry.key)) {
        throw new SyntaxError("a key stands twice");
      }
      entries.push(entry);
      const after = this.space();
      comma = this.#peek() === "," ? this.#token() : "";
      space = comma === "" ? after : this.space();
      if (comma === "" && this.#peek() !== end) {
        throw new SyntaxError("a comma is missing");
      }
      if (comma !== "" && after !== "") {
        space = after + space;
      }
    }
    this.#token();
    const text = this.#source.slice(start, this.#position);
    const close = comma + space + end;
    const layout = { flow: !text.includes("\n"), indent: 0, inline: false, open, close };
    return { kind, value: valueOf(kind, entries), text, entries, layout };
  }

  #entry(kind: "map" | "list", before: string): Entry {
    if (kind === "list") {
      const node = this.node();
      return { key: identityOf(node.value), before, head: "", node, after: "" };
    }
    const start = this.#position;
    const key: unknown = JSON.parse(this.#token());
    this.space();
    if (typeof key !== "string" || this.#token() !== ":") {
      throw new SyntaxError("no key");
    }
    this.space();
    const head = this.#source.slice(start, this.#position);
    return { key, before, head, node: this.node(), after: "" };
  }

  #peek(): string | undefined {
    return this.#match()?.groups?.["text"];
  }

  #token(): string {
    const token = this.#peek();
    if (token === undefined) {
      throw new SyntaxError("the text ends early");
    }
    this.#position += token.length;
    return token;
  }

  #match(): RegExpExecArray | null {
    TOKEN.lastIndex = this.#position;
    return TOKEN.exec(this.#source);
  }
}

/** How JSON is written. */
export function jsonSyntax(choose: Syntax["choose"]): Syntax {
  return { rebuild, transplant, commentsOf, choose };
}

function rebuild(like: Node, entries: readonly Entry[], rest: string): Node {
  const { layout } = like;
  const kind = like.kind === "list" ? "list" : "map";
  const placed = entries.map((entry, index) => ({ ...entry, before: spaceOf(like, entry, index) }));
  const parts = placed.map(({ before, head, node }) => before + head + node.text);
  const commented = rest !== "" || hasComment(layout.close);
  const close = parts.length > 0 || commented ? rest + layout.close : layout.close.at(-1);
  const text = layout.open + parts.join(",") + close;
  return { kind, value: valueOf(kind, entries), text, entries: placed, layout };
}

function spaceOf(like: Node, { before }: Entry, index: number): string {
  if (!like.layout.flow || hasComment(before)) {
    return before;
  }
  return index === 0 ? (like.entries[0]?.before ?? "") : " ";
}

function transplant(entry: Entry, _from: Node, into: Node): Entry {
  const sibling = into.entries.at(-1);
  if (!sibling || hasComment(entry.before)) {
    return entry;
  }
  const before = into.layout.flow ? " " : (/\n[ \t]*$/.exec(sibling.before)?.[0] ?? "\n");
  return { ...entry, before };
}

function commentsOf(mine: Entry, base: Entry): string {
  return mine.before === base.before || !hasComment(mine.before) ? "" : mine.before.trimEnd();
}

function hasComment(space: string): boolean {
  return /\S/.test(space.replace(/^,/, "").replace(/[}\]]$/, ""));
}

/** How deep one level is indented, as far as a text shows it. */
export function indentOf(source: string): string {
  return /\n([ \t]+)["\]}[{]/.exec(source)?.[1] ?? "  ";
}

/** The same JSON with another indent of its levels. */
export function reindent(source: string, unit: string): string {
  const own = indentOf(source);
  return source.replace(/^[ \t]+/gm, (space) =>
    space.split(own).join("") === "" ? unit.repeat(space.length / own.length) : space,
  );
}
