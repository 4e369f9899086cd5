import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

import { parse } from "yaml";

import { render } from "../../src/plan/render.ts";
import { STATE_FILE } from "../../src/plan/state.ts";
import type { Tree } from "../../src/plan/tree.ts";
import { answersWith, templates } from "../../test/support/templates.ts";

/** What both tools make of their template, but for the file in which each remembers that. */
export function renderedTree(integrations: string[]): Tree {
  const tree = new Map(render(templates, answersWith({ integrations })));
  tree.delete(STATE_FILE);
  return tree;
}

export function writeTree(folder: string, tree: Tree): void {
  for (const [path, { bytes, mode }] of tree) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
    chmodSync(join(folder, path), mode);
  }
}

/** The files of a service, without those of git and of the two tools. */
export function readTree(folder: string): Map<string, string> {
  const own = /^(?:\.git\/|\.fetch-service|\.copier-answers)/;
  return new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .filter((path) => !own.test(path))
      .sort()
      .map((path) => [path, readFileSync(join(folder, path), "utf8")]),
  );
}

/** Blocks between the marks of a conflict, and files that were kept beside the user's. */
export function conflictsIn(files: ReadonlyMap<string, string>): number {
  const blocks = [...files.values()].map((text) => text.match(/^<{7} /gm)?.length ?? 0);
  const beside = [...files.keys()].filter((path) => /\.(?:new|rej)$/.test(path)).length;
  return blocks.reduce((sum, count) => sum + count, beside);
}

/** Data files that no program can read any more. */
export function brokenIn(files: ReadonlyMap<string, string>): number {
  return [...files].filter(([path, text]) => {
    try {
      if (path.endsWith(".json")) JSON.parse(text);
      if (/\.ya?ml$/.test(path)) parse(text, { logLevel: "silent" });
      return false;
    } catch {
      return true;
    }
  }).length;
}
