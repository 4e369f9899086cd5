import { isDeepStrictEqual } from "node:util";

import { mergeNodes } from "./document.ts";
import { plain, restyle } from "./encoding.ts";
import type { Merged, Note } from "./merged.ts";
import { type Entry, type Node, type Syntax, valueOf } from "./node.ts";
import { parseYaml, Unsupported } from "./yaml-syntax.ts";

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
