import { z } from "zod";

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
