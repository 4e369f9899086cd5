import type { z } from "zod";
import type { ListPage } from "../pages.ts";
import type { IndexName } from "./indexes.ts";

/** Where a thing is found in a secondary index. Things of other kinds never have the same partition there. */
export interface IndexKey {
  partition: string;
  /** What the things of a partition are sorted by. */
  sort: string;
}

/** A kind of thing that the table holds. */
export interface Entity<Schema extends z.ZodType> {
  /** Its partition of the table; never to be changed. */
  name: string;
  /** Checks what is written and what is read. */
  schema: Schema;
  /** Further ways to find things, by index; a thing without a key is not in that index. */
  indexes?: {
    [Name in IndexName]?: (value: z.output<Schema>, id: string) => IndexKey | undefined;
  };
  /** When a thing ends to exist by itself. */
  expiresAt?: (value: z.output<Schema>) => Date | undefined;
}

/** A thing as it is stored. The version counts its changes, from 1. */
export interface Stored<Value> {
  id: string;
  version: number;
  value: Value;
}

export interface PageRequest {
  limit: number;
  /** `nextCursor` of the page before. */
  cursor?: string | undefined;
}

/** A condition on what a partition is sorted by: ids, or the sort key of an index. */
export type SortCondition =
  | { equals: string }
  | { beginsWith: string }
  | { between: readonly [from: string, to: string] }
  | { before: string }
  | { from: string };

export interface Query extends PageRequest {
  /** With the partition that is looked for there; all things of the kind, by their ids, when left out. */
  index?: { name: IndexName; partition: string };
  sort?: SortCondition;
  descending?: boolean;
}

export type Page<Value> = ListPage<Stored<Value>>;

/** What changes in a thing. */
export interface Changes<Value> {
  set?: Partial<Value>;
  /** Numbers that are added to what there is. */
  add?: { [Key in keyof Value]?: number };
  remove?: (keyof Value)[];
}

/** A write that is done together with others by `transact`, or not at all. */
export interface PlannedWrite {
  /** @internal Does all of them, which are for the same table. */
  transact(writes: readonly PlannedWrite[], signal?: AbortSignal): Promise<void>;
}

/**
 * Things of one kind, typed. `signal` ends the call. In addition to what is said below, every method throws OVERLOADED
 * when DynamoDB throttles, EXTERNAL_SERVICE_ERROR when it does not work, and VALIDATION_ERROR for text that cannot be
 * stored (a lone surrogate). What breaks the schema or has no form in DynamoDB is our mistake, and any other error.
 */
export interface Repository<Value> {
  /** @throws {AppError} CONFLICT when it exists already. */
  create(id: string, value: Value, signal?: AbortSignal): Promise<Stored<Value>>;
  get(id: string, signal?: AbortSignal): Promise<Stored<Value> | undefined>;
  /** Those that exist, in any order. */
  getMany(ids: readonly string[], signal?: AbortSignal): Promise<Stored<Value>[]>;
  /**
   * Writes over the version that the caller has seen.
   * @throws {AppError} CONFLICT when somebody else has changed it since, NOT_FOUND when it does not exist.
   */
  replace(id: string, value: Value, version: number, signal?: AbortSignal): Promise<Stored<Value>>;
  /**
   * Changes some of its fields, with an update expression and an optimistic lock. Without a `version` it is tried again
   * when somebody else was faster.
   * @throws {AppError} as `replace`
   */
  update(
    id: string,
    changes: Changes<Value>,
    options?: { version?: number; signal?: AbortSignal },
  ): Promise<Stored<Value>>;
  /** @returns whether it existed. */
  remove(id: string, signal?: AbortSignal): Promise<boolean>;
  /** Writes without a condition, over what there may be; versions begin at 1 again. Not all or nothing. */
  putMany(things: readonly { id: string; value: Value }[], signal?: AbortSignal): Promise<void>;
  removeMany(ids: readonly string[], signal?: AbortSignal): Promise<void>;
  /** All of the kind, by id. @throws {AppError} VALIDATION_ERROR for a cursor that was not made here. */
  list(page: PageRequest, signal?: AbortSignal): Promise<Page<Value>>;
  /** As `list`, with a condition or in an index. */
  query(query: Query, signal?: AbortSignal): Promise<Page<Value>>;
  /** Writes for `transact`, with the same conditions as the methods of the same name. */
  plan: {
    create(id: string, value: Value): PlannedWrite;
    replace(id: string, value: Value, version: number): PlannedWrite;
    remove(id: string, version: number): PlannedWrite;
    /** Writes nothing: the others need this version to be the latest. */
    check(id: string, version: number): PlannedWrite;
  };
}

/**
 * Does up to 100 writes, of any kinds of things in one table, all or none.
 * @throws {AppError} CONFLICT when the condition of one does not hold.
 */
export async function transact(
  writes: readonly PlannedWrite[],
  signal?: AbortSignal,
): Promise<void> {
  await writes[0]?.transact(writes, signal);
}
