import { InternalError } from "../../errors.ts";

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

// npm keeps these sorted itself, so a sorted start makes small diffs.
const SORTED = new Set(["dependencies", "devDependencies", "optionalDependencies", "scripts"]);

/** Joins two package.json files key by key; equal keys must agree. */
export function mergePackageJson(below: string | undefined, above: string): string {
  const merged = mergeObjects(parse(below ?? "{}"), parse(above), "package.json");
  const sorted = Object.entries(merged).map(([key, value]) => [
    key,
    SORTED.has(key) && isObject(value) ? sortKeys(value) : value,
  ]);
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
}

function parse(text: string): JsonObject {
  return JSON.parse(text) as JsonObject;
}

function mergeObjects(below: JsonObject, above: JsonObject, where: string): JsonObject {
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const old = merged[key];
    merged[key] = old === undefined ? value : mergeValues(old, value, `${where}: ${key}`);
  }
  return merged;
}

function mergeValues(below: Json, above: Json, where: string): Json {
  if (isObject(below) && isObject(above)) {
    return mergeObjects(below, above, where);
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
