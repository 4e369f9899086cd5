import { AppError } from "../errors.ts";
import { EXPIRES, INDEXES } from "./indexes.ts";
import type { Changes, Entity } from "./repository.ts";
import { checkKey, encodeData } from "./storable.ts";
import type { z } from "zod";

/** An item of the table. */
export interface Item {
  pk: string;
  sk: string;
  version: number;
  /** Which call wrote it. */
  write: string;
  data: unknown;
  [attribute: string]: unknown;
}

/** The item of a thing, with its keys in the indexes and the time when it expires. */
export function toItem<Schema extends z.ZodType>(
  entity: Entity<Schema>,
  id: string,
  value: z.output<Schema>,
  version: number,
  write: string,
): Item {
  checkKey("sk", id);
  return {
    pk: entity.name,
    sk: id,
    version,
    write,
    data: encodeData(entity.schema, value),
    ...derivedAttributes(entity, id, value),
  };
}

/** What follows from a thing's value besides its data. */
export function derivedAttributes<Schema extends z.ZodType>(
  entity: Entity<Schema>,
  id: string,
  value: z.output<Schema>,
): Record<string, unknown> {
  const attributes: Record<string, unknown> = {};
  for (const index of INDEXES) {
    const key = entity.indexes?.[index]?.(value, id);
    if (key === undefined) continue;
    const partition = indexPartition(entity.name, key.partition);
    checkKey("pk", partition);
    checkKey("sk", key.sort);
    attributes[`${index}pk`] = partition;
    attributes[`${index}sk`] = key.sort;
  }
  const expires = entity.expiresAt?.(value);
  if (expires !== undefined) attributes[EXPIRES] = Math.floor(expires.getTime() / 1_000);
  return attributes;
}

/** All attributes that `derivedAttributes` may set. */
export const DERIVED = [...INDEXES.flatMap((name) => [`${name}pk`, `${name}sk`]), EXPIRES];

/** Kinds of things do not share partitions of an index. */
export function indexPartition(entity: string, partition: string): string {
  return `${entity}#${partition}`;
}

/** DynamoDB takes days to delete what has expired: until then it only looks as if it existed. */
export function hasExpired(item: Record<string, unknown>, now = Date.now()): boolean {
  const expires = item[EXPIRES];
  return typeof expires === "number" && expires * 1_000 <= now;
}

/** The value with its changes. */
export function applyChanges<Value>(value: Value, { set, add, remove }: Changes<Value>): Value {
  const changed = { ...value, ...set } as Record<string, unknown>;
  for (const [name, amount] of Object.entries((add ?? {}) as Record<string, number>)) {
    changed[name] = Number(changed[name] ?? 0) + amount;
  }
  for (const name of remove ?? []) delete changed[name as string];
  return changed as Value;
}

export function conflict(): AppError {
  return new AppError("CONFLICT", "The resource exists already, or somebody else has changed it");
}

export function notFound(): AppError {
  return new AppError("NOT_FOUND", "The requested resource does not exist");
}
