import { type Entry, type Node, type Syntax, valueOf } from "./node.ts";

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
