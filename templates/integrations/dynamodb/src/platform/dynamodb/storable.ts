import { z } from "zod";
import { AppError } from "../errors.ts";

/** DynamoDB keeps so many digits of a number. */
const MAX_DIGITS = 38;
const MAX_KEY_BYTES = { pk: 2_048, sk: 1_024 } as const;

/** A value in the form in which it is stored. @throws what `checkStorable` does, or the schema's own error. */
export function encodeData<Schema extends z.ZodType>(
  schema: Schema,
  value: z.output<Schema>,
): unknown {
  const data = z.encode(schema, value);
  checkStorable(data, "data");
  return data;
}

/** What is read, as the schema gives it: numbers become bigints where it asks for those. */
export function decodeData<Schema extends z.ZodType>(
  schema: Schema,
  data: unknown,
): z.ZodSafeParseResult<z.output<Schema>> {
  const result = z.safeDecode(schema, data as z.input<Schema>);
  if (result.success) return result;
  const bigints = result.error.issues.filter(
    (issue) => issue.code === "invalid_type" && issue.expected === "bigint",
  );
  if (bigints.length === 0) return result;
  const widened = structuredClone(data);
  for (const { path } of bigints) toBigInt(widened, path);
  return z.safeDecode(schema, widened as z.input<Schema>);
}

/** A number of DynamoDB in the type that keeps all of its digits. */
export function toNumber(text: string): number | bigint {
  const number = Number(text);
  const isWhole = /^-?\d+$/.test(text);
  return isWhole && !isSameNumber(number, text) ? BigInt(text) : number;
}

function isSameNumber(number: number, text: string): boolean {
  return (
    Number.isSafeInteger(number) || (Number.isFinite(number) && BigInt(number) === BigInt(text))
  );
}

function toBigInt(root: unknown, path: readonly PropertyKey[]): void {
  const parent = path
    .slice(0, -1)
    .reduce<unknown>(
      (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
      root,
    ) as Record<PropertyKey, unknown> | undefined;
  const last = path.at(-1);
  if (parent === undefined || last === undefined) return;
  const value = parent[last];
  if (typeof value === "number" && Number.isInteger(value)) parent[last] = BigInt(value);
}

/** @throws {Error} for a key that DynamoDB does not take, {AppError} VALIDATION_ERROR for text that is not Unicode. */
export function checkKey(name: "pk" | "sk", key: string): void {
  if (key === "") throw new Error(`the key ${name} is empty`);
  checkText(key, name);
  const bytes = Buffer.byteLength(key);
  if (bytes > MAX_KEY_BYTES[name]) throw new Error(`the key ${name} has ${bytes} bytes, too many`);
}

/**
 * Refuses what DynamoDB has no form for, before anything is sent, so that the cause is known.
 * @throws {Error} for a mistake of ours, {AppError} VALIDATION_ERROR for text that is not Unicode, which is a caller's.
 */
function checkStorable(value: unknown, path: string): void {
  switch (typeof value) {
    case "string":
      return checkText(value, path);
    case "number":
      if (Number.isFinite(value)) return;
      throw new Error(`${path} is ${value}, which is not a number in DynamoDB`);
    case "bigint":
      if (significantDigits(value) <= MAX_DIGITS) return;
      throw new Error(`${path} has more than ${MAX_DIGITS} digits`);
    case "function":
    case "symbol":
      throw new Error(`${path} is a ${typeof value}`);
    case "object":
      return checkObject(value, path);
    default:
      return;
  }
}

function checkObject(value: object | null, path: string): void {
  if (value === null || ArrayBuffer.isView(value)) return;
  if (value instanceof Set && value.size === 0) throw new Error(`${path} is an empty set`);
  if (Array.isArray(value) || value instanceof Set) {
    for (const [index, inner] of [...value].entries()) checkStorable(inner, `${path}.${index}`);
    return;
  }
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);
  if (!isPlain) {
    throw new Error(`${path} is a ${value.constructor.name}; let its schema be a z.codec`);
  }
  for (const [name, inner] of Object.entries(value)) {
    checkText(name, path);
    checkStorable(inner, `${path}.${name}`);
  }
}

function checkText(text: string, path: string): void {
  if (text.isWellFormed()) return;
  throw new AppError("VALIDATION_ERROR", "Request validation failed", {
    details: [{ field: path, message: "must not have half of a surrogate pair" }],
  });
}

/** Not by a regular expression for the zeros at the end: that would take quadratic time. */
function significantDigits(value: bigint): number {
  const digits = String(value).replace(/^-/, "");
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end -= 1;
  return end;
}
