/** A value in a text, with the very text that it stands as. */
export interface Node {
  kind: "map" | "list" | "scalar";
  value: unknown;
  text: string;
  /** The parts of a map or list; its text is made of them. */
  entries: readonly Entry[];
  /** What the format needs to know to write this node anew. */
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
  /** What is left of the user's own comments when an entry goes. */
  commentsOf(mine: Entry, base: Entry): string;
  /** The first of two values that both sides changed; undefined when it is no version. */
  choose(path: readonly string[], mine: unknown, theirs: unknown): Choice | undefined;
}

/** A decision between two values. */
export interface Choice {
  take: "mine" | "theirs";
  why: string;
}

/** What a map or list with these entries stands for. */
export function valueOf(kind: "map" | "list", entries: readonly Entry[]): unknown {
  return kind === "list"
    ? entries.map(({ node }) => node.value)
    : Object.fromEntries(entries.map(({ key, node }) => [key, node.value]));
}
