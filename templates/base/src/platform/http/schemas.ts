import { z } from "zod";
import { AppError, type ErrorDetail } from "../errors.ts";
import { limitFaults, MOST_FAULTS } from "./fault-limit.ts";
import { queryCoercion } from "./query.ts";

export type Part = "params" | "query" | "headers" | "body";

/**
 * Compiles the check of one part of a request.
 * @returns a function that gives the part as its schema makes it, and throws an AppError with what is wrong with it; of a
 * schema with asynchronous refinements, a promise of that.
 */
export function checkerOf(part: Part, schema: z.ZodType): (given: unknown) => unknown {
  const check = compileSchema(schema);
  const isText = part === "query" || part === "params";
  const coerce = isText ? queryCoercion(schema) : undefined;
  const take = (checked: Checked, input: unknown): unknown => {
    if (checked.success) return checked.data;
    const details = describeIssues(part, checked.error.issues, input);
    throw new AppError("VALIDATION_ERROR", "Request validation failed", { details });
  };
  return (given) => {
    const input = coerce === undefined ? given : coerce(given as Record<string, unknown>);
    const checked = check(input);
    if (checked instanceof Promise) return checked.then((later) => take(later, input));
    return take(checked, input);
  };
}

/**
 * Compiles the check of an answer.
 * @returns a function that gives it as JSON text, and throws when it breaks the schema.
 * @throws {Error} for a schema with asynchronous refinements: no framework waits for its serializer.
 */
export function encoderOf(schema: z.ZodType): (value: unknown) => string {
  const { compiled, isAsync } = compile(schema);
  if (isAsync) throw new Error("the schema of an answer cannot be asynchronous");
  return (value) => {
    const checked = compiled.safeParse(value);
    if (checked.success) return JSON.stringify(checked.data);
    const error = new Error("the response breaks its declared schema", { cause: checked.error });
    // 500, whatever status the handler chose.
    throw Object.assign(error, { statusCode: 500 });
  };
}

type Checked = z.ZodSafeParseResult<unknown>;

/**
 * Compiles `schema` to straight-line code, which makes checking about four times as fast.
 * @returns a function that checks a value; of a schema with asynchronous refinements, it gives a promise.
 */
export function compileSchema(schema: z.ZodType): (value: unknown) => Checked | Promise<Checked> {
  const { compiled, isAsync } = compile(schema);
  let mustWait = isAsync;
  return (value) => {
    try {
      if (!mustWait) return compiled.safeParse(value);
    } catch (error) {
      // A plain function that returns a promise is only noticed when it is called.
      if (!(error instanceof z.core.$ZodAsyncError)) return refuseTooDeep(error);
      mustWait = true;
    }
    return compiled.safeParseAsync(value).catch(refuseTooDeep);
  };
}

/** The compiled schema, or the schema itself where zod cannot compile it, and whether an `async` function is part of it. */
function compile<Schema extends z.ZodType>(schema: Schema): { compiled: Schema; isAsync: boolean } {
  limitFaults(schema);
  try {
    return { compiled: z.compile(schema, { strict: true }), isAsync: false };
  } catch (error) {
    return { compiled: schema, isAsync: error instanceof z.core.ZodCompileAsyncError };
  }
}

/** Nesting that overflows the stack is the caller's fault; anything else that a schema throws is ours. */
function refuseTooDeep(error: unknown): Checked {
  const isOverflow = error instanceof RangeError && /call stack/i.test(error.message);
  if (!isOverflow) throw error;
  const message = "Nested too deeply";
  return { success: false, error: new z.ZodError([{ code: "custom", path: [], message }]) };
}

const LONGEST_TEXT = 200;

/** What is wrong with one part of a request, field by field. */
export function describeIssues(
  part: Part,
  issues: z.core.$ZodIssue[],
  input: unknown,
): ErrorDetail[] {
  const details = [...detailsOf(part, issues, input)];
  if (details.length <= MOST_FAULTS && issues.length <= MOST_FAULTS) return details;
  // How many is not known: the check stops early.
  return [...details.slice(0, MOST_FAULTS - 1), { field: part, message: "and more" }];
}

// Schemas of a recursive union nest their issues as deep as the caller nests the body.
const DEEPEST_UNION = 5;

function* detailsOf(
  field: string,
  issues: z.core.$ZodIssue[],
  input: unknown,
  options: number[] = [],
): Generator<ErrorDetail> {
  // A body of a megabyte can have a million faults.
  for (const issue of issues.slice(0, MOST_FAULTS)) {
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
