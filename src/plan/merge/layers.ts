import { posix } from "node:path";

import { InternalError } from "../../errors.ts";

/** Joins a layer's text with the text of the layers below it, if there is any. */
export type Join = (below: string | undefined, above: string) => string;

const JOINS: Record<string, Join> = {
  "package.json": joinPackageJson,
  ".env.example": joinEnvFiles,
  ".gitignore": joinIgnoreFiles,
  ".dockerignore": joinIgnoreFiles,
};

/** The rule by which two layers may share this path. Any other path has one owner. */
export function joinOf(path: string): Join | undefined {
  return posix.dirname(path) === "." ? JOINS[path] : undefined;
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

// npm sorts these, so writing them sorted keeps later diffs small.
const SORTED = new Set(["dependencies", "devDependencies", "optionalDependencies", "scripts"]);

/** Joins two package.json files key by key; equal keys must agree. */
export function joinPackageJson(below: string | undefined, above: string): string {
  const merged = joinObjects(parse(below ?? "{}"), parse(above), "package.json");
  const sorted = Object.entries(merged).map(([key, value]) => [
    key,
    SORTED.has(key) && isObject(value) ? sortKeys(value) : value,
  ]);
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
}

function parse(text: string): JsonObject {
  return JSON.parse(text) as JsonObject;
}

function joinObjects(below: JsonObject, above: JsonObject, where: string): JsonObject {
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const old = merged[key];
    merged[key] = old === undefined ? value : joinValues(old, value, `${where}: ${key}`);
  }
  return merged;
}

function joinValues(below: Json, above: Json, where: string): Json {
  if (isObject(below) && isObject(above)) {
    return joinObjects(below, above, where);
  }
  if (JSON.stringify(below) !== JSON.stringify(above)) {
    throw new InternalError(
      `${where} is ${JSON.stringify(below)} in one layer, ${JSON.stringify(above)} in another`,
    );
  }
  return below;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sortKeys(record: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Joins ignore files: a line that is already there is not repeated. */
export function joinIgnoreFiles(below: string | undefined, above: string): string {
  return joinBlocks(below, above, (line) => line);
}

/** Joins env files: two layers may share a setting, but they must agree on its value. */
export function joinEnvFiles(below: string | undefined, above: string): string {
  return joinBlocks(below, above, (line) => line.split("=", 1)[0] ?? line);
}

/**
 * Appends the blocks (lines between blank lines) of `above`, without the lines of which the key is
 * already there. A block of which only comments are left is dropped too.
 */
function joinBlocks(
  below: string | undefined,
  above: string,
  keyOf: (line: string) => string,
): string {
  if (below === undefined) {
    return above;
  }
  const known = new Map(linesOf(below).map((line) => [keyOf(line), line]));
  const isNew = (line: string) => {
    const old = known.get(keyOf(line));
    if (old !== undefined && old !== line) {
      throw new InternalError(`"${old}" in one layer, "${line}" in another`);
    }
    return old === undefined;
  };
  const added = above
    .trim()
    .split(/\n{2,}/)
    .map((block) => block.split("\n").filter((line) => isComment(line) || isNew(line)))
    .filter((lines) => lines.some((line) => !isComment(line)))
    .map((lines) => lines.join("\n"));
  return `${[below.trimEnd(), ...added].join("\n\n")}\n`;
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "" && !isComment(line));
}

function isComment(line: string): boolean {
  return line.startsWith("#");
}
