import type { Target } from "./target.ts";
import { send } from "./wire/send.ts";

type Json = Record<string, unknown>;
export type JsonRoute = NonNullable<Target["jsonRoute"]>;

/** Schemas may contain themselves. */
const DEEPEST = 10;

const TEXTS: Record<string, string> = {
  date: "2024-01-02",
  "date-time": "2024-01-02T03:04:05Z",
  time: "03:04:05",
  email: "somebody@example.com",
  uri: "https://example.com/",
  uuid: "123e4567-e89b-42d3-a456-426614174000",
};

/** The POST routes for JSON that an OpenAPI document describes, each with a body made of its examples and types. */
export function jsonRoutesOf(document: unknown): JsonRoute[] {
  const paths = Object.entries(child(document, "paths"));
  return paths.flatMap(([path, item]) => {
    const content = child(child(child(item, "post"), "requestBody", document), "content");
    const media = child(content, "application/json");
    if (path.includes("{") || Object.keys(media).length === 0) return [];
    const valid = exampleIn(media) ?? sampleOf(child(media, "schema"), document, 0);
    return isObject(valid) && Object.keys(valid).length > 0 ? [{ path, valid }] : [];
  });
}

/** Whether the service takes the body that is said to be valid. */
export async function accepts(url: string, { path, valid }: JsonRoute): Promise<boolean> {
  const response = await send(url, { method: "POST", path, json: valid });
  return response.status >= 200 && response.status < 300;
}

/** A value that a schema allows, as far as that can be told without solving its patterns. */
function sampleOf(given: Json, document: unknown, depth: number): unknown {
  const schema = resolve(given, document);
  const [variant] = ["anyOf", "oneOf"].flatMap((name) => (schema[name] as Json[]) ?? []);
  const { const: constant, enum: [first] = [] } = schema as { const?: unknown; enum?: unknown[] };
  const example = exampleIn(schema) ?? constant ?? first ?? schema["default"];
  if (example !== undefined || depth > DEEPEST) return example;
  if (variant) return sampleOf(variant, document, depth + 1);
  const inner = (part: unknown) => sampleOf(part as Json, document, depth + 1);
  if (Array.isArray(schema["allOf"])) return Object.assign({}, ...schema["allOf"].map(inner));
  const type = [schema["type"]].flat()[0];
  if (type === "object" || "properties" in schema) {
    const properties = child(schema, "properties");
    const required = (schema["required"] ?? []) as string[];
    return Object.fromEntries(required.map((name) => [name, inner(properties[name] ?? {})]));
  }
  if (type === "array") {
    const length = Math.max(1, Number(schema["minItems"] ?? 0));
    return Array.from({ length }, () => inner(schema["items"] ?? {}));
  }
  if (type === "boolean") return true;
  if (type === "integer" || type === "number") return Number(schema["minimum"] ?? 1);
  return TEXTS[String(schema["format"])] ?? "a".repeat(Number(schema["minLength"] ?? 1));
}

/** What a schema or a body shows as an example of itself. */
function exampleIn(place: Json): unknown {
  if ("example" in place) return place["example"];
  const examples = place["examples"];
  // A list in a schema, named objects beside one.
  if (Array.isArray(examples)) return examples[0];
  const [named] = Object.values(child(place, "examples"));
  return child({ named }, "named")["value"];
}

function resolve(value: Json, document: unknown, depth = 0): Json {
  const reference = value["$ref"];
  if (typeof reference !== "string" || depth > DEEPEST) return value;
  const found = reference
    .replace(/^#\//, "")
    .split("/")
    .reduce<unknown>((at, step) => {
      return child(at, step.replaceAll("~1", "/").replaceAll("~0", "~"));
    }, document);
  return resolve(found as Json, document, depth + 1);
}

/** The object under a name, or an empty one; followed to what it refers to when a document is given. */
function child(parent: unknown, name: string, document?: unknown): Json {
  const value = isObject(parent) ? parent[name] : undefined;
  if (!isObject(value)) return {};
  return document === undefined ? value : resolve(value, document);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
