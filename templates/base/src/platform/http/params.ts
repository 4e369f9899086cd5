import { z } from "zod";

/** A piece of a path: fixed text, or the name of a parameter. */
export type PathPart = string | { readonly param: string };

const PARAM = /\{([^{}]*)\}/g;
const NAME = /^[A-Za-z_]\w*$/;

/**
 * Takes apart the path of a declared route. Only braces mean something: all else is literal, in every framework. Of two
 * parameters between the same slashes, the first takes as much as it can.
 * @throws {Error} saying what is wrong, for a parameter that is none, such as `{receipt-id}` or FastAPI's `{path:path}`,
 * and for what no request can have.
 */
export function parsePath(path: string): PathPart[] {
  if (!path.startsWith("/")) throw new Error("the path must begin with /");
  if (/[?#]/.test(path)) throw new Error("a path ends before ? and #");
  const names = paramsOf(path);
  const wrong = names.find((name) => !NAME.test(name));
  if (wrong !== undefined) {
    throw new Error(`{${wrong}} is not a parameter; use letters, digits and _, as in {receiptId}`);
  }
  if (new Set(names).size < names.length) throw new Error("a parameter is named twice");
  if (path.includes("}{")) throw new Error("nothing tells where the first of two parameters ends");
  const pieces = path.split(PARAM);
  if (pieces.some((piece, index) => index % 2 === 0 && /[{}]/.test(piece))) {
    throw new Error("a brace without its other half");
  }
  return pieces
    .map((piece, index): PathPart => (index % 2 === 0 ? piece : { param: piece }))
    .filter((part) => part !== "");
}

/**
 * The methods that a path without parameters lacks, and a path with one in the same place takes: with `/receipts/rules`
 * and `/receipts/{id}`, DELETE of the rules is not allowed, and no DELETE of a receipt.
 */
export function shadowedMethods<Method extends string>(
  routes: readonly { method: Method; path: string }[],
): { method: Method; path: string }[] {
  const fixed = new Set(routes.map(({ path }) => path).filter((path) => !path.includes("{")));
  return [...fixed].flatMap((path) => {
    const own = routes.filter((route) => route.path === path).map(({ method }) => method);
    const others = routes.filter((route) => route.path.includes("{") && fits(route.path, path));
    const taken = new Set(others.map(({ method }) => method)).difference(new Set(own));
    return Array.from(taken, (method) => ({ method, path }));
  });
}

function fits(template: string, path: string): boolean {
  const pieces = parsePath(template).map((part) =>
    typeof part === "string" ? RegExp.escape(part) : "[^/]+",
  );
  return new RegExp(`^${pieces.join("")}$`).test(path);
}

export function paramsOf(path: string): string[] {
  return Array.from(path.matchAll(PARAM), ([, name]) => name!);
}

type Values = Record<string, unknown>;

/**
 * How the text of a query (or of a path's parameters) becomes what its schema asks for, decided once for each property:
 * - one value becomes a list, where a list is asked for;
 * - digits become a number, where a number (or a bigint) is asked for;
 * - ISO 8601 (`2026-01-31`, `2026-01-31T12:00:00Z`) becomes a date, where a date is asked for;
 * - true, t, yes, y, on, 1 and their opposites, in any case, become a boolean, where a boolean is asked for.
 *
 * Text stays text where text is allowed too, where the schema converts it (`z.preprocess`), and where it does not have
 * that form, so that the schema refuses it.
 * @returns undefined when there is nothing to convert.
 */
export function queryCoercion(schema: z.ZodType): ((values: Values) => Values) | undefined {
  const rules = propertiesOf(schema).flatMap(([name, types]) => {
    if (types.has("string")) return [];
    const itemTypes = new Set(
      [...types].filter((type) => type.endsWith(LIST)).map((type) => type.slice(0, -LIST.length)),
    );
    return [{ name, types, itemTypes, isList: itemTypes.size > 0 }];
  });
  if (rules.length === 0) return undefined;
  return (values) => {
    const coerced = { ...values };
    for (const { name, types, itemTypes, isList } of rules) {
      const value = coerced[name];
      if (value === undefined) continue;
      coerced[name] = isList
        ? [value].flat().map((item) => scalar(item, itemTypes))
        : scalar(value, types);
    }
    return coerced;
  };
}

/** The properties of `schema` that no text can become, such as a nested object: no request would ever match. */
export function keysWithoutText(schema: z.ZodType): string[] {
  const others = propertiesOf(schema).filter(([, types]) =>
    [...types].every((type) => NOT_TEXT.has(type.replace(LIST, ""))),
  );
  return others.map(([name]) => name);
}

function propertiesOf(schema: z.ZodType): [string, Set<string>][] {
  return leavesOf(schema)
    .flatMap(({ _zod: { def } }) => Object.entries(def.type === "object" ? def.shape : {}))
    .map(([name, property]) => [name, new Set(typesOf(property))]);
}

const LIST = "[]";
const NOT_TEXT = new Set("list map nan null object record set symbol".split(" "));

/** The types that a schema has; a list's are those of its items, with `[]` behind. */
function typesOf(schema: z.core.$ZodType, isItem = false): string[] {
  return leavesOf(schema).flatMap(({ _zod: { def, values = [] } }) => {
    switch (def.type) {
      case "array":
      case "tuple": {
        if (isItem) return "list";
        const items = def.type === "array" ? def.element : (def.rest ?? z.unknown());
        return typesOf(items, true).map((type) => type + LIST);
      }
      case "literal":
      case "enum":
        return Array.from(values, (value) => typeof value);
      case "bigint":
      case "date":
        return def.coerce === true ? "string" : def.type;
      case "boolean":
      case "number":
        return def.type;
      default:
        // What takes anything, or converts by itself, takes text.
        return NOT_TEXT.has(def.type) ? def.type : "string";
    }
  });
}

/** The schemas that a union, an intersection or a wrapper such as `.optional()` stands for. */
function leavesOf(schema: z.core.$ZodType): z.core.$ZodTypes[] {
  const known = schema as z.core.$ZodTypes;
  const { def } = known._zod;
  switch (def.type) {
    case "union":
      return def.options.flatMap(leavesOf);
    case "intersection":
      return [def.left, def.right].flatMap(leavesOf);
    case "lazy":
      return leavesOf(def.getter());
    case "pipe":
      return leavesOf(def.in);
    default:
      return "innerType" in def ? leavesOf(def.innerType) : [known];
  }
}

const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;
const TRUE = /^(?:true|t|yes|y|on|1)$/i;
const FALSE = /^(?:false|f|no|n|off|0)$/i;
const DIGITS = /^-?\d+$/;
const ISO_TEXT = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

function scalar(value: unknown, types: Set<string>): unknown {
  if (typeof value !== "string" || types.has("string")) return value;
  if (types.has("number") && NUMBER.test(value)) return Number(value);
  if (types.has("bigint") && DIGITS.test(value)) return BigInt(value);
  if (types.has("date") && ISO_TEXT.safeParse(value).success) return new Date(value);
  if (types.has("boolean") && TRUE.test(value)) return true;
  return types.has("boolean") && FALSE.test(value) ? false : value;
}
