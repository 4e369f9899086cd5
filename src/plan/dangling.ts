import { posix } from "node:path";

import { decode } from "./merge/three-way/encoding.ts";
import type { Change, DiskTree, Finding } from "./plan.ts";

const CODE = /\.[cm]?[jt]s$/;
const IMPORT = /\b(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g;

/** Files that stay and import what a plan deletes: they have to be changed by hand. */
export function danglingImports(mine: DiskTree, changes: readonly Change[]): Finding[] {
  const deleted = new Set(changes.filter(({ after }) => !after).map(({ path }) => path));
  if (deleted.size === 0) {
    return [];
  }
  const after = new Map(mine);
  for (const { path, after: file } of changes) {
    if (file) {
      after.set(path, file);
    } else {
      after.delete(path);
    }
  }
  return [...after].flatMap(([path, { bytes }]): Finding[] => {
    if (!CODE.test(path)) {
      return [];
    }
    const gone = importsOf(path, decode(bytes) ?? "").filter((target) => deleted.has(target));
    const message = `imports ${gone.join(", ")}, deleted by this command: take out what uses it`;
    return gone.length > 0 ? [{ path, kind: "refers", message }] : [];
  });
}

function importsOf(path: string, source: string): string[] {
  const targets = Array.from(source.matchAll(IMPORT), ([, specifier = ""]) =>
    posix.join(posix.dirname(path), specifier),
  );
  return [...new Set(targets)];
}
