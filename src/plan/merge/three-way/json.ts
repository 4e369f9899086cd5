import { isDeepStrictEqual } from "node:util";

import { mergeNodes } from "./document.ts";
import { plain, restyle } from "./encoding.ts";
import { parseJson } from "./json-reader.ts";
import { indentOf, jsonSyntax, reindent } from "./json-syntax.ts";
import type { Merged, Note } from "./merged.ts";
import type { Choice } from "./node.ts";
import { chooseVersion } from "./versions.ts";

/**
 * Merges JSON key by key. It never makes a conflict mark: what both changed stays as the user has it.
 * Undefined when one of the texts is no JSON.
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
  return mergeWith(base, mine, theirs, (path, own, other) =>
    VERSIONS.has(path[0] ?? "") && path.length === 2 ? chooseVersion(own, other) : undefined,
  );
}

function mergeWith(
  base: string,
  mine: string,
  theirs: string,
  choose: (path: readonly string[], mine: unknown, theirs: unknown) => Choice | undefined,
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
  // Whatever odd text it was made of, the result is what was decided.
  const safe = isDeepStrictEqual(parseJson(text)?.root.value, root.value)
    ? text
    : `${JSON.stringify(root.value, null, unit)}\n`;
  return { text: restyle(safe, base, mine, theirs), conflicts: 0, notes };
}
