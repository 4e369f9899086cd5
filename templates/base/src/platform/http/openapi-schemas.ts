import { z } from "zod";
import type { CreateDocumentOptions } from "zod-openapi";

/** A schema of an operation: `owner` names the operation, `io` whether a caller sends it or gets it. */
export interface UsedSchema {
  schema: z.ZodType;
  io: "input" | "output";
  owner: string;
}

// No schema can have an id that ends like this.
const OUTPUT = "@output";

// What JSON schema cannot express is documented as anything; it is still checked.
const INEXPRESSIBLE = "custom function map nan pipe promise set symbol transform undefined void";

/** How schemas become JSON schemas. */
export const RENDERING: CreateDocumentOptions = {
  outputIdSuffix: OUTPUT,
  allowEmptySchema: Object.fromEntries(INEXPRESSIBLE.split(" ").map((type) => [type, true])),
  override({ zodSchema, jsonSchema, io }) {
    const { def } = zodSchema._zod;
    if (def.type === "date") jsonSchema.format = "date-time";
    // Fields that are not declared are cut off, but a later version may add some: clients must not refuse them.
    if (def.type === "object" && io === "output" && def.catchall === undefined)
      delete jsonSchema.additionalProperties;
  },
};

/**
 * Makes sure that an id (`.meta({ id })`) stands for one schema.
 * @throws an error that names the operations.
 */
export function checkIds(used: readonly UsedSchema[]): void {
  const known = new Map<string, { schema: unknown; owner: string }>();
  for (const { schema: whole, io, owner } of used) {
    for (const [id, schema] of namedIn(whole, io, owner)) {
      if (!/^[\w.-]+$/.test(id)) {
        const rule = 'may hold only letters, digits, ".", "-" and "_"';
        throw new Error(`the schema id "${id}" of ${owner} ${rule}`);
      }
      const first = known.get(id) ?? { schema, owner };
      if (first.schema !== schema) {
        throw new Error(`two schemas have the id "${id}": one of ${first.owner}, one of ${owner}`);
      }
      known.set(id, first);
    }
  }
}

function namedIn(schema: z.ZodType, io: "input" | "output", owner: string): [string, unknown][] {
  const named: [string, unknown][] = [];
  try {
    z.toJSONSchema(schema, {
      io,
      unrepresentable: "any",
      override({ zodSchema }) {
        const id = z.globalRegistry.get(zodSchema)?.id;
        if (id !== undefined) named.push([id, zodSchema]);
      },
    });
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`a schema of ${owner} cannot be documented: ${message}`, { cause });
  }
  return named;
}

/**
 * What a schema takes and what it gives can differ, by a default for example: the two are named …Input and …Output, as
 * FastAPI does it; all others go by their id alone.
 */
export function withFinalNames(document: { components?: { schemas?: object } }): object {
  const schemas = Object.entries(document.components?.schemas ?? {});
  const taken = new Set(schemas.map(([id]) => id));
  const names = new Map<string, string>();
  for (const output of [...taken].filter((id) => id.endsWith(OUTPUT))) {
    const id = output.slice(0, -OUTPUT.length);
    names.set(id, `${id}Input`).set(output, `${id}Output`);
  }
  for (const [id, name] of names) {
    if (taken.has(name)) {
      throw new Error(
        `the schema id "${name}" is needed for one side of "${id}": name it otherwise`,
      );
    }
  }
  const nameOf = (id: string): string => names.get(id) ?? id;
  const named = Object.fromEntries(schemas.map(([id, schema]) => [nameOf(id), schema]));
  const components = { ...document.components, schemas: named };
  const text = JSON.stringify({ ...document, components });
  const references = /"#\/components\/schemas\/([^"]+)"/g;
  return JSON.parse(
    text.replaceAll(references, (_all, id: string) => `"#/components/schemas/${nameOf(id)}"`),
  ) as object;
}

/** The properties that a schema of parameters has, below what is wrapped around the object. */
export function shapeOf(schema: z.core.$ZodType | undefined): z.core.$ZodShape {
  const def = (schema as z.core.$ZodTypes | undefined)?._zod.def;
  switch (def?.type) {
    case "object":
      return def.shape;
    case "intersection":
      return { ...shapeOf(def.left), ...shapeOf(def.right) };
    case "lazy":
      return shapeOf(def.getter());
    case "pipe":
      // `z.preprocess` is a pipe that begins with a function: the object comes behind it.
      return shapeOf(def.in._zod.def.type === "transform" ? def.out : def.in);
    default:
      return def !== undefined && "innerType" in def ? shapeOf(def.innerType) : {};
  }
}
