import type { Node } from "./node.ts";

/** The template's order, unless the user has another; what only one has comes after its neighbour. */
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
  return reordered ? weave(mine, theirs) : weave(theirs, mine);
}

const SORTS = [
  (a: string, b: string) => a.localeCompare(b, "en"),
  (a: string, b: string) => (a < b ? -1 : Number(a > b)),
];

function isSorted(keys: readonly string[], compare: (a: string, b: string) => number): boolean {
  return keys.every((key, index) => index === 0 || compare(keys[index - 1] ?? "", key) < 0);
}

/** All of one order, and the rest of the other, each after the one that it follows there. */
function weave(main: readonly string[], other: readonly string[]): string[] {
  const woven = [...main];
  other.forEach((key, index) => {
    if (!main.includes(key)) {
      const neighbour = other[index - 1];
      woven.splice(neighbour === undefined ? 0 : woven.indexOf(neighbour) + 1, 0, key);
    }
  });
  return woven;
}
