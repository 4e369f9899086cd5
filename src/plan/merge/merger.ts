import { posix } from "node:path";

import { mergePackageJson } from "./json.ts";
import { mergeEnvironment, mergeIgnoreList } from "./set.ts";

/** Joins a layer's text with the text of the layers below it, if there is any. */
export type Merger = (below: string | undefined, above: string) => string;

const MERGERS: Record<string, Merger> = {
  "package.json": mergePackageJson,
  ".env.example": mergeEnvironment,
  ".gitignore": mergeIgnoreList,
  ".dockerignore": mergeIgnoreList,
};

/** The rule by which two layers may share this path. Any other path has one owner. */
export function mergerOf(path: string): Merger | undefined {
  return posix.dirname(path) === "." ? MERGERS[path] : undefined;
}
