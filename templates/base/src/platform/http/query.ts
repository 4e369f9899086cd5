import { z } from "zod";

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
  const whole = jsonSchemaOf(schema);
  const rules = propertiesOf(whole)
    .map(([name, property]) => ({ name, rule: ruleFor(property, whole, true) }))
    .filter((entry): entry is { name: string; rule: Rule } => entry.rule !== undefined);
  if (rules.length === 0) return undefined;
  return (values) => {
    const coerced = { ...values };
    for (const { name, rule } of rules) {
      if (coerced[name] !== undefined) coerced[name] = rule(coerced[name]);
    }
    return coerced;
  };
}

/** The properties of `schema` that no text can become, such as a nested object: no request would ever match. */
export function keysWithoutText(schema: z.ZodType): string[] {
  const whole = jsonSchemaOf(schema);
  return propertiesOf(whole)
    .filter(([, property]) => !canBeText(property, whole, true))
    .map(([name]) => name);
}

function propertiesOf(whole: JsonSchema): [string, JsonSchema][] {
  return leavesOf(whole, whole).flatMap(({ properties = {} }) => Object.entries(properties));
}

interface JsonSchema {
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
}

/** The JSON schema of what `schema` takes; empty, so that anything goes, where it converts by itself. */
function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      const { def } = zodSchema._zod;
      const converts = def.type === "pipe" && def.in._zod.def.type === "transform";
      if (converts) for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      // JSON schema has no type for these.
      else if (OWN_TYPES.has(def.type) && !("coerce" in def && def.coerce)) {
        Object.assign(jsonSchema, { type: def.type });
      }
    },
  }) as JsonSchema;
}

const OWN_TYPES = new Set(["bigint", "date", "map", "nan", "set", "symbol"]);
const TYPES_OF_TEXT = new Set(["bigint", "boolean", "date", "integer", "number", "string"]);

function canBeText(schema: JsonSchema, whole: JsonSchema, mayBeList: boolean): boolean {
  return leavesOf(schema, whole).some(({ type = "string", items = {} }) =>
    [type].flat().some((one) => {
      if (one === "array") return mayBeList && canBeText(items, whole, false);
      return TYPES_OF_TEXT.has(one);
    }),
  );
}

type Rule = (value: unknown) => unknown;

function ruleFor(schema: JsonSchema, whole: JsonSchema, mayBeList: boolean): Rule | undefined {
  const leaves = leavesOf(schema, whole);
  const types = new Set(leaves.flatMap(({ type = "string" }) => type));
  if (types.has("string")) return undefined;
  if (types.has("array")) return mayBeList ? listRule(leaves, whole) : undefined;
  return types.isDisjointFrom(TYPES_OF_TEXT) ? undefined : (value) => scalar(value, types);
}

function listRule(leaves: JsonSchema[], whole: JsonSchema): Rule {
  const { items = {} } = leaves.find(({ type }) => type === "array") ?? {};
  const rule = ruleFor(items, whole, false);
  return (value) => {
    const list: unknown[] = Array.isArray(value) ? value : [value];
    return rule === undefined ? list : list.map(rule);
  };
}

const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;
const TRUE = /^(?:true|t|yes|y|on|1)$/i;
const DIGITS = /^-?\d+$/;
const ISO_TEXT = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);
const FALSE = /^(?:false|f|no|n|off|0)$/i;

function scalar(value: unknown, types: ReadonlySet<string>): unknown {
  if (typeof value !== "string") return value;
  const isNumber = types.has("number") || types.has("integer");
  if (isNumber && NUMBER.test(value)) return Number(value);
  if (types.has("bigint") && DIGITS.test(value)) return BigInt(value);
  if (types.has("date") && ISO_TEXT.safeParse(value).success) return new Date(value);
  if (types.has("boolean") && TRUE.test(value)) return true;
  return types.has("boolean") && FALSE.test(value) ? false : value;
}

/** The schemas that a reference, a union or an intersection stands for. */
function leavesOf(schema: JsonSchema, whole: JsonSchema): JsonSchema[] {
  const { $ref, anyOf, oneOf, allOf } = schema;
  if ($ref !== undefined) {
    return leavesOf(whole.$defs?.[$ref.replace("#/$defs/", "")] ?? {}, whole);
  }
  const parts = anyOf ?? oneOf ?? allOf;
  return parts === undefined ? [schema] : parts.flatMap((part) => leavesOf(part, whole));
}
