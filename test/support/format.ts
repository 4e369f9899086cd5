import { basename, matchesGlob } from "node:path";

import { format } from "oxfmt";

import type { Tree } from "../../src/plan/tree.ts";

const FORMATTED = /\.(?:[cm]?[jt]s|json|ya?ml|md)$/;

/** The files of a service that its own formatter would change, by the config that it ships. */
export async function unformatted(tree: Tree): Promise<string[]> {
  const text = (path: string) => Buffer.from(tree.get(path)?.bytes ?? []).toString("utf8");
  const config = JSON.parse(text(".oxfmtrc.json"));
  const { $schema: _, ignorePatterns = [], ...options } = config;
  const ignored = (path: string) =>
    ignorePatterns.some(
      // As in .gitignore, a pattern without a slash means a name in any folder.
      (pattern: string) => matchesGlob(basename(path), pattern) || path.startsWith(pattern),
    );
  const changed: string[] = [];
  for (const path of [...tree.keys()].filter((name) => FORMATTED.test(name) && !ignored(name))) {
    const { code, errors } = await format(path, text(path), options);
    if (errors.length > 0 || code !== text(path)) {
      changed.push(path);
    }
  }
  return changed;
}
