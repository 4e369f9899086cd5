import { dirname, join } from "node:path/posix";

import type { Tree } from "../../src/plan/tree.ts";

/** The files of a rendered service below a folder, as texts. */
export function textsBelow(tree: Tree, folder: string): Map<string, string> {
  return new Map(
    [...tree]
      .filter(([path]) => path.startsWith(folder))
      .map(([path, { bytes }]) => [path, Buffer.from(bytes).toString("utf8")]),
  );
}

/** The modules that a TypeScript file imports by a relative path, types and dynamic imports included. */
export function importsOf(path: string, text: string): string[] {
  const targets = text.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\()"(\.{1,2}\/[^"]+)"/g);
  return [...targets].map(([, target = ""]) => join(dirname(path), target));
}

/** How many lines hold nothing but a comment. */
export function commentLines(text: string): number {
  return text.split("\n").filter((line) => /^\s*(?:\/\/|\/\*|\*)/.test(line)).length;
}

export function linesOf(text: string): number {
  return text.split("\n").length - 1;
}
