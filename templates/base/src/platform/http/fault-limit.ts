import { z } from "zod";

type Schema = z.core.$ZodType;
type Payload = z.core.ParsePayload;
type Context = z.core.ParseContextInternal;
type Parse = (payload: Payload, context: Context) => Payload | Promise<Payload>;
type Key = string | number;
type Values = Record<Key, unknown>;

/** After so many faults the rest of a list, or of an object with names of the caller's own, is not looked at. */
export const MOST_FAULTS = 20;
/** Values that are checked at the same time by a schema that waits. */
const AT_ONCE = 100;

const limited = new WeakSet<Schema>();

/**
 * Makes `schema`, and all schemas in it, stop early at a value with many faults. By itself zod goes on to the end: a body of
 * a megabyte can have a million faults, each of which costs a kilobyte. What is valid is checked as before.
 */
export function limitFaults(schema: Schema): void {
  if (limited.has(schema)) return;
  limited.add(schema);
  const { _zod: zod } = schema;
  const definition = zod.def as unknown as Definition;
  const split = splitterOf(definition);
  if (split !== undefined) {
    const parse = inPieces(zod.parse as Parse, split);
    // Without checks of its own, a schema has one function under two names.
    if (zod.run === zod.parse) zod.run = parse;
    zod.parse = parse;
  }
  for (const inner of schemasIn(definition)) limitFaults(inner);
  if (schema instanceof z.core.$ZodLazy) limitFaults(schema._zod.innerType);
}

/** What zod knows of a schema, as far as it is looked at here. */
interface Definition extends Record<string, unknown> {
  type: string;
}

/** Where a definition has other schemas. Elsewhere it has defaults and the values of enums. */
const PLACES =
  "element innerType in out left right keyType valueType rest catchall options items shape";

function schemasIn(definition: Definition): Schema[] {
  const found: unknown[] = PLACES.split(" ").flatMap((place) => {
    const value = definition[place];
    return value instanceof z.core.$ZodType ? [value] : Object.values((value ?? {}) as Values);
  });
  return found.filter((value) => value instanceof z.core.$ZodType);
}

/** A value in two parts: what the schema names, and as many others as the caller likes. */
interface Pieces {
  named: unknown;
  others: Key[];
  /** The schema of the others; that of a record looks at their names too. */
  element: Schema | undefined;
}

/** How values of a schema are split; undefined for a schema that names all that it takes. */
function splitterOf(definition: Definition): ((value: unknown) => Pieces | undefined) | undefined {
  const { type, element, rest, keyType, catchall, items, shape } = definition;
  const names = type === "tuple" && rest ? (items as Schema[]).length : 0;
  const isFixed = ["never", "unknown"].includes(
    (catchall as Schema | null)?._zod.def.type ?? "never",
  );
  if (type === "array" || names > 0) {
    return (value) =>
      Array.isArray(value)
        ? {
            named: value.slice(0, names),
            others: [...value.keys()].slice(names),
            element: (element ?? rest) as Schema,
          }
        : undefined;
  }
  const isRecord = type === "record" && (keyType as Schema)._zod.values === undefined;
  if (!isRecord && isFixed) return undefined;
  const known = (shape ?? {}) as Values;
  return (value) => {
    if (!z.core.util.isPlainObject(value)) return undefined;
    const keys = Object.keys(value);
    const own = keys.filter((key) => Object.hasOwn(known, key));
    return {
      named: Object.fromEntries(own.map((key) => [key, value[key]])),
      others: own.length === 0 ? keys : keys.filter((key) => !Object.hasOwn(known, key)),
      element: catchall as Schema | undefined,
    };
  };
}

function inPieces(parse: Parse, split: (value: unknown) => Pieces | undefined): Parse {
  return (payload, context) => {
    const values = payload.value as Values;
    const pieces = split(values);
    if (pieces === undefined) return parse(payload, context);
    const { named, others, element } = pieces;
    payload.value = named;
    const parsed = parse(payload, context);
    const run = (key: Key): Payload | Promise<Payload> =>
      element === undefined
        ? parse({ value: { [key]: values[key] }, issues: [] }, context)
        : element._zod.run({ value: values[key], issues: [] }, context);
    const take = (key: Key, { value, issues }: Payload): boolean => {
      if (element === undefined) Object.assign(payload.value as Values, value);
      else (payload.value as Values)[key] = value;
      if (issues.length === 0) return false;
      const placed = element === undefined ? issues : z.core.util.prefixIssues(key, issues);
      payload.issues.push(...placed);
      if (payload.issues.length <= MOST_FAULTS) return false;
      // The checks of the whole must not see what is not complete.
      Object.assign(payload.issues.at(-1)!, { continue: false });
      return true;
    };
    if (parsed instanceof Promise) return parsed.then(() => takeOthers(payload, others, run, take));
    return takeOthers(payload, others, run, take);
  };
}

/** @param take keeps what was made of a value, and says whether there are too many faults. */
function takeOthers(
  payload: Payload,
  keys: Key[],
  run: (key: Key) => Payload | Promise<Payload>,
  take: (key: Key, result: Payload) => boolean,
): Payload | Promise<Payload> {
  for (const [index, key] of keys.entries()) {
    const result = run(key);
    if (result instanceof Promise) return waitFor(result, index);
    if (take(key, result)) break;
  }
  return payload;

  async function waitFor(first: Promise<Payload>, start: number): Promise<Payload> {
    for (let at = start; at < keys.length; at += AT_ONCE) {
      const batch = keys.slice(at, at + AT_ONCE);
      const running = batch.map(async (key, index) => (at + index === start ? first : run(key)));
      const results = await Promise.all(running);
      if (results.some((result, index) => take(batch[index]!, result))) break;
    }
    return payload;
  }
}
