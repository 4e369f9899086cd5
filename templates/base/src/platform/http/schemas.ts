import { z } from "zod";
import { AppError, type ErrorDetail } from "../errors.ts";
import { queryCoercion } from "./query.ts";

export type Checked = z.ZodSafeParseResult<unknown>;

/** A schema as code that checks one value after the other. */
export interface CompiledSchema {
  /** The checked value or the issues; a promise of them only for a schema with asynchronous refinements. */
  safeParse(value: unknown): Checked | Promise<Checked>;
}

/**
 * Compiles `schema` to straight-line code, which makes checking about four times as fast.
 * Asynchronous refinements work; write them as `async` functions, so that they are known before the first request.
 */
export function compileSchema(schema: z.ZodType): CompiledSchema {
  let isAsync = hasAsyncFunctions(schema);
  const compiled = z.compile(schema);
  return {
    safeParse(value) {
      try {
        if (!isAsync) return compiled.safeParse(value);
      } catch (error) {
        // A plain function that returns a promise shows only when it is called.
        if (!(error instanceof z.core.$ZodAsyncError)) return refuseTooDeep(error);
        isAsync = true;
      }
      return compiled.safeParseAsync(value).catch(refuseTooDeep);
    },
  };
}

function hasAsyncFunctions(schema: z.ZodType): boolean {
  try {
    z.compile(schema, { strict: true });
    return false;
  } catch (error) {
    return error instanceof z.core.ZodCompileAsyncError;
  }
}

/** Nesting that overflows the stack is the caller's fault; anything else that a schema throws is ours. */
function refuseTooDeep(error: unknown): Checked {
  const isOverflow = error instanceof RangeError && /call stack/i.test(error.message);
  if (!isOverflow) throw error;
  const message = "Nested too deeply";
  return { success: false, error: new z.ZodError([{ code: "custom", path: [], message }]) };
}

/** A part of a request that its schema refused. */
export interface Refused {
  /** `params`, `query`, `headers` or `body`. */
  part: string;
  issues: z.core.$ZodIssue[];
  input: unknown;
}

/** The 400 for the parts of a request that their schemas refused. */
export function validationError(refused: Refused[]): AppError {
  const details = refused.flatMap(({ part, issues, input }) => [...detailsOf(part, issues, input)]);
  return new AppError("VALIDATION_ERROR", "Request validation failed", { details: limit(details) });
}

/** What is wrong with one part of a request, field by field. */
export function describeIssues(
  part: string,
  issues: z.core.$ZodIssue[],
  input: unknown,
): ErrorDetail[] {
  return limit([...detailsOf(part, issues, input)]);
}

const MOST_DETAILS = 20;
const LONGEST_TEXT = 200;

function limit(details: ErrorDetail[]): ErrorDetail[] {
  if (details.length <= MOST_DETAILS) return details;
  const shown = details.slice(0, MOST_DETAILS - 1);
  const [part] = details[0]!.field.split(".", 1);
  return [...shown, { field: part!, message: `and ${details.length - shown.length} more` }];
}

// Schemas of a recursive union nest their issues as deep as the caller nests the body.
const DEEPEST_UNION = 5;

function* detailsOf(
  field: string,
  issues: z.core.$ZodIssue[],
  input: unknown,
  options: number[] = [],
): Generator<ErrorDetail> {
  for (const issue of issues) {
    const place = [field, ...issue.path.map(String)].join(".");
    const value = issue.path.reduce<unknown>((at, key) => (at as Fields | undefined)?.[key], input);
    const isMissing = value === undefined && isZodText(issue);
    const branches = isMissing || options.length === DEEPEST_UNION ? [] : branchesOf(issue);
    if (branches.length === 0) {
      const option = options.map((number) => `option ${number}: `).join("");
      yield {
        field: cut(place),
        message: cut(option + (isMissing ? "Field required" : issue.message)),
      };
    }
    for (const [index, branch] of branches.entries()) {
      yield* detailsOf(
        place,
        branch,
        value,
        branches.length > 1 ? [...options, index + 1] : options,
      );
    }
  }
}

type Fields = Record<PropertyKey, unknown>;

/** What each branch of a union has against the value; what is wrong with the key or the element of a collection. */
function branchesOf(issue: z.core.$ZodIssue): z.core.$ZodIssue[][] {
  if (issue.code === "invalid_union") return issue.errors;
  return "issues" in issue ? [issue.issues] : [];
}

/** Whether the text is zod's own, in whichever language, and not one that the schema's author wrote. */
function isZodText(issue: z.core.$ZodIssue): boolean {
  if (issue.code === "custom") return false;
  const own = z.config().localeError?.({ ...issue, input: undefined });
  return issue.message === (typeof own === "object" ? own?.message : own);
}

function cut(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT - 1).toWellFormed()}…`;
}

/** The parts of a request that have schemas, as error details name them. */
export type Part = "params" | "query" | "headers" | "body";

/**
 * Compiles the check of one part of a request.
 * @returns a function that gives the part as its schema makes it (a promise with asynchronous refinements), and throws an
 * AppError with what is wrong with it.
 */
export function checkerOf(part: Part, schema: z.ZodType): (given: unknown) => unknown {
  const compiled = compileSchema(schema);
  const prepare = part === "query" ? queryCoercion(schema) : undefined;
  return (given) => {
    const input = prepare === undefined ? given : prepare(given as Record<string, unknown>);
    const result = compiled.safeParse(input);
    const take = (found: Checked): unknown => {
      if (found.success) return found.data;
      throw validationError([{ part, issues: found.error.issues, input }]);
    };
    return result instanceof Promise ? result.then(take) : take(result);
  };
}

/** Checks of a request's parts. */
export type PartChecks = readonly { part: Part; check: (given: unknown) => unknown }[];

/** The checks of those parts that have a zod schema, in the order in which they are made. */
export function partChecks(schemas: Partial<Record<Part, unknown>>): PartChecks {
  return (["params", "body", "query", "headers"] as const).flatMap((part) => {
    const schema = schemas[part];
    return schema instanceof z.ZodType ? [{ part, check: checkerOf(part, schema) }] : [];
  });
}

/**
 * Checks the parts of a request, and puts what the schemas make of them in their place.
 * @returns a promise only where a schema is asynchronous.
 * @throws {AppError} with what is wrong with the first part that is refused.
 */
export function checkParts(
  checks: PartChecks,
  parts: Record<Part, unknown>,
  first = 0,
): void | Promise<void> {
  for (let at = first; at < checks.length; at += 1) {
    const { part, check } = checks[at]!;
    const checked = check(parts[part]);
    if (checked instanceof Promise) {
      return checked.then((value) => {
        parts[part] = value;
        return checkParts(checks, parts, at + 1);
      });
    }
    parts[part] = checked;
  }
}

/**
 * Compiles the check of an answer.
 * @returns a function that gives it as JSON text, and throws when it breaks the schema.
 */
export function encoderOf(schema: z.ZodType): (value: unknown) => string {
  const compiled = compileSchema(schema);
  return (value) => {
    const result = compiled.safeParse(value);
    if (result instanceof Promise) {
      throw new TypeError("the schema of an answer cannot have asynchronous refinements");
    }
    if (result.success) return JSON.stringify(result.data);
    throw new Error("the response breaks its declared schema", { cause: result.error });
  };
}
