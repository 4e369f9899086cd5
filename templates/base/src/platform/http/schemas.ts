import { z } from "zod";
import { AppError, type ErrorDetail } from "../errors.ts";
// PLACEHOLDER until branch openapi
export type CompiledSchema = { safeParse(data: unknown): z.ZodSafeParseResult<unknown> };
const compiled = new WeakMap<z.ZodType, CompiledSchema>();
export function compileSchema(schema: z.ZodType): CompiledSchema {
  let found = compiled.get(schema);
  if (!found) compiled.set(schema, (found = z.compile(schema)));
  return found;
}
export function describeIssues(part: string, issues: z.core.$ZodIssue[], _input: unknown): ErrorDetail[] {
  return issues.map((issue) => ({
    field: [part, ...issue.path.map(String)].join("."),
    message: issue.message.endsWith("received undefined") ? "Field required" : issue.message,
  }));
}
export function coerceQuery(_schema: z.ZodType, query: unknown): unknown { return query; }

/** The parts of a request that have schemas, as error details name them. */
export type Part = "params" | "query" | "headers" | "body";

/**
 * Compiles the check of one part of a request.
 * @returns a function that gives the part as its schema makes it, and throws an AppError with every fault in it.
 */
export function checkerOf(part: Part, schema: z.ZodType): (given: unknown) => unknown {
  const compiled = compileSchema(schema);
  const isQuery = part === "query";
  return (given) => {
    const input = isQuery ? coerceQuery(schema, given) : given;
    const result = compiled.safeParse(input);
    if (result.success) return result.data;
    const details = describeIssues(part, result.error.issues, input);
    throw new AppError("VALIDATION_ERROR", "Request validation failed", { details });
  };
}

/**
 * Compiles the check of an answer.
 * @returns a function that gives it as JSON text, and throws when it breaks the schema.
 */
export function encoderOf(schema: z.ZodType): (value: unknown) => string {
  const compiled = compileSchema(schema);
  return (value) => {
    const result = compiled.safeParse(value);
    if (result.success) return JSON.stringify(result.data);
    throw new Error("the response breaks its declared schema", { cause: result.error });
  };
}
