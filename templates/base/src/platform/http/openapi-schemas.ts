import { z } from "zod";
import type { CreateDocumentOptions } from "zod-openapi";

/** A schema of an operation: `owner` names the operation, `io` whether a caller sends it or gets it. */
export interface UsedSchema {
  schema: z.ZodType;
  io: "input" | "output";
  owner: string;
}

/** The properties of an object, each with its schema. */
export type Shape = Record<string, z.ZodType>;

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
  for (const { schema, io, owner } of used) {
    for (const [id, named] of namedIn(schema, io, owner)) {
      const first = known.get(id);
      if (first === undefined) known.set(id, { schema: named, owner });
      else if (first.schema !== named) {
        throw new Error(`two schemas have the id "${id}": one of ${first.owner}, one of ${owner}`);
      }
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
  } catch (error) {
    throw new Error(`a schema of ${owner} cannot be documented: ${(error as Error).message}`, {
      cause: error,
    });
  }
  for (const [id] of named) {
    if (!/^[\w.-]+$/.test(id))
      throw new Error(
        `the schema id "${id}" of ${owner} may hold only letters, digits, ".", "-" and "_"`,
      );
  }
  return named;
}

/**
 * What a schema takes and what it gives can differ, by a default for example: the two are named …Input and …Output, as
 * FastAPI does it; all others go by their id alone.
 */
export function withFinalNames(document: { components?: { schemas?: object } }): object {
  const taken = Object.keys(document.components?.schemas ?? {});
  const names = new Map<string, string>();
  for (const id of taken.filter((name) => name.endsWith(OUTPUT))) {
    const base = id.slice(0, -OUTPUT.length);
    names.set(base, `${base}Input`).set(id, `${base}Output`);
  }
  for (const [id, name] of names) {
    if (taken.includes(name)) {
      throw new Error(
        `the schema id "${name}" is needed for one side of "${id}": name it otherwise`,
      );
    }
  }
  const references = /"(#\/components\/schemas\/)([^"]+)"/g;
  const text = JSON.stringify(document).replaceAll(references, (_all, path, id) => {
    return `"${path}${names.get(id) ?? id}"`;
  });
  const named = JSON.parse(text) as typeof document;
  const schemas = Object.entries(named.components?.schemas ?? {});
  const final = schemas.map(([id, schema]) => [names.get(id) ?? id, schema]);
  return { ...named, components: { ...named.components, schemas: Object.fromEntries(final) } };
}

interface Parts {
  shape?: Shape;
  innerType?: z.ZodType;
  getter?(): z.ZodType;
  left?: z.ZodType;
  right?: z.ZodType;
  in?: z.ZodType;
  out?: z.ZodType;
}

/** The properties that a schema of parameters has, below what is wrapped around the object. */
export function shapeOf(schema: z.ZodType | undefined): Shape {
  if (schema === undefined) return {};
  const { shape, innerType, getter, left, right, ...pipe } = schema._zod.def as Parts;
  if (shape !== undefined) return shape;
  if (left !== undefined) return { ...shapeOf(left), ...shapeOf(right) };
  // `z.preprocess` is a pipe that begins with a function: the object comes behind it.
  const isPreprocess = pipe.in?._zod.def.type === "transform";
  return shapeOf(innerType ?? getter?.() ?? (isPreprocess ? pipe.out : pipe.in));
}
