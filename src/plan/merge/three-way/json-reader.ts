import { identityOf } from "./items.ts";
import { type Entry, type Node, valueOf } from "./node.ts";

const TOKEN =
  /(?<space>(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)+)|(?<text>"(?:[^"\\\n]|\\.)*"|[{}[\],:]|[^\s{}[\],:"/]+)/y;

/**
 * Reads JSON, also with comments and trailing commas, without losing a character of it; undefined when
 * it is no JSON.
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
