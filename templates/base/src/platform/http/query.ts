import { z } from "zod";

type Values = Record<string, unknown>;

/**
 * How the text of a query (or of a path's parameters) becomes what its schema asks for, decided once for each property:
 * - one value becomes a list, where a list is asked for;
 * - digits become a number, where a number is asked for;
 * - true, t, yes, y, on, 1 and their opposites, in any case, become a boolean, where a boolean is asked for.
 *
 * Text stays text where text is allowed too, where the schema converts it (`z.preprocess`), and where it does not have
 * that form, so that the schema refuses it.
 * @returns undefined when there is nothing to convert.
 */
export function queryCoercion(schema: z.ZodType): ((values: Values) => Values) | undefined {
  const whole = jsonSchemaOf(schema);
  const rules = leavesOf(whole, whole)
    .flatMap(({ properties = {} }) => Object.entries(properties))
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
    },
  }) as JsonSchema;
}

type Rule = (value: unknown) => unknown;

function ruleFor(schema: JsonSchema, whole: JsonSchema, mayBeList: boolean): Rule | undefined {
  const leaves = leavesOf(schema, whole);
  const types = new Set(leaves.flatMap(({ type = "string" }) => type));
  if (types.has("string")) return undefined;
  if (types.has("array")) return mayBeList ? listRule(leaves, whole) : undefined;
  const isNumber = types.has("number") || types.has("integer");
  const isBoolean = types.has("boolean");
  return isNumber || isBoolean ? (value) => scalar(value, isNumber, isBoolean) : undefined;
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
const FALSE = /^(?:false|f|no|n|off|0)$/i;

function scalar(value: unknown, isNumber: boolean, isBoolean: boolean): unknown {
  if (typeof value !== "string") return value;
  if (isNumber && NUMBER.test(value)) return Number(value);
  if (isBoolean && TRUE.test(value)) return true;
  return isBoolean && FALSE.test(value) ? false : value;
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
