import { z } from "zod";
import { AppError, type ErrorDetail } from "../errors.ts";
import { queryCoercion } from "./params.ts";

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
function compile(schema: z.ZodType): { compiled: z.ZodType; isAsync: boolean } {
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

type Schema = z.core.$ZodType;
type Issue = z.core.$ZodRawIssue;
type Payload = z.core.ParsePayload;
type Context = z.core.ParseContextInternal;
type Parse = (payload: Payload, context: Context) => Payload | Promise<Payload>;

/** After so many faults the rest of a list, or of an object with names of the caller's own, is not looked at. */
export const MOST_FAULTS = 20;
/** Values of a list that are checked at the same time by a schema that waits. */
const AT_ONCE = 100;

/** Types whose values can be as long as the caller likes. */
const COLLECTIONS = new Set(["array", "map", "object", "record", "set", "tuple"]);

/** Where a definition has other schemas. Elsewhere it has defaults and the values of enums. */
const PLACES =
  "element innerType in out left right keyType valueType rest catchall options items shape";

/** The schemas that stop early, and whether they are a part of an intersection. */
const limited = new Map<Schema, boolean>();

/**
 * Makes `schema`, and all schemas in it, stop early at a value with many faults. By itself zod goes on to the end: a body of
 * a megabyte can have a million faults, each of which costs a kilobyte. What is valid is checked as before.
 */
export function limitFaults(schema: Schema, isPart = false): void {
  const known = limited.get(schema);
  if (known === true || known === isPart) return;
  limited.set(schema, isPart);
  const { _zod: zod } = schema;
  const definition = zod.def as z.core.$ZodTypeDef & Record<string, unknown>;
  const isCollection = COLLECTIONS.has(definition.type);
  if (isCollection && known === undefined) {
    const isList = definition.type === "array";
    const parse = stopEarly(schema, isList ? inBatches(zod.parse as Parse) : (zod.parse as Parse));
    // Without checks of its own, a schema has one function under two names.
    if (zod.run === zod.parse) zod.run = parse;
    zod.parse = parse;
  }
  const isInnerPart = definition.type === "intersection" || (isPart && !isCollection);
  const inner = PLACES.split(" ").flatMap((place) => {
    const value = definition[place];
    return value instanceof z.core.$ZodType ? [value] : Object.values(value ?? {});
  });
  if (schema instanceof z.core.$ZodLazy) inner.push(schema._zod.innerType);
  for (const one of inner) if (one instanceof z.core.$ZodType) limitFaults(one, isInnerPart);
}

class TooManyFaults extends Error {}

/** The faults of one value. Zod adds to it as it goes through the value, and is stopped when there are too many. */
class Faults extends Array<Issue> {
  counted = 0;
  /** Names that one part of an intersection refuses can be the other's. */
  mayRefuseNames = false;

  override push(...more: Issue[]): number {
    // What has begun to wait is not stopped.
    if (this.counted > MOST_FAULTS) return this.length;
    super.push(...more);
    const counted = this.mayRefuseNames ? more.filter(({ code }) => code !== "invalid_key") : more;
    this.counted += counted.length;
    if (this.counted <= MOST_FAULTS) return this.length;
    // The checks of the whole must not see what is not complete.
    Object.assign(counted.at(-1)!, { continue: false });
    throw new TooManyFaults();
  }
}

function stopEarly(schema: Schema, parse: Parse): Parse {
  return (payload, context) => {
    const { issues } = payload;
    const faults = new Faults();
    faults.mayRefuseNames = limited.get(schema) === true;
    payload.issues = faults;
    const finish = (): Payload => ({ ...payload, issues: [...issues, ...faults] });
    const stop = (error: unknown): Payload => {
      if (error instanceof TooManyFaults) return finish();
      throw error;
    };
    try {
      const parsed = parse(payload, context);
      return parsed instanceof Promise ? parsed.then(finish, stop) : finish();
    } catch (error) {
      return stop(error);
    }
  };
}

/** Hundreds of thousands of promises at once would cost seconds. */
function inBatches(parse: Parse): Parse {
  async function parseAll(payload: Payload, context: Context): Promise<Payload> {
    const values = payload.value as unknown[];
    const parsed: unknown[] = [];
    payload.value = parsed;
    for (let start = 0; start < values.length; start += AT_ONCE) {
      const batch = { value: values.slice(start, start + AT_ONCE), issues: [] };
      const { value, issues } = await parse(batch, context);
      parsed.push(...(value as unknown[]));
      for (const issue of issues) {
        const [index, ...path] = issue.path as [number, ...PropertyKey[]];
        payload.issues.push({ ...issue, path: [start + index, ...path] });
      }
    }
    return payload;
  }
  return (payload, context) => {
    const { value } = payload;
    const isLong = context.async === true && Array.isArray(value) && value.length > AT_ONCE;
    return isLong ? parseAll(payload, context) : parse(payload, context);
  };
}
