import type { z } from "zod";

/** A kind of thing that the table holds. */
export interface Entity<Schema extends z.ZodType> {
  /** Its partition of the table; never to be changed. */
  name: string;
  /** Checks what is written and what is read. */
  schema: Schema;
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

export interface Page<Value> {
  items: Stored<Value>[];
  /** There when more follows. */
  nextCursor?: string;
}

/**
 * Things of one kind, typed. `signal` ends the call. Beside what is said below, every method throws OVERLOADED when
 * DynamoDB is throttling us, and EXTERNAL_SERVICE_ERROR when it does not work.
 */
export interface Repository<Value> {
  /** @throws {AppError} CONFLICT when there is one already. */
  create(id: string, value: Value, signal?: AbortSignal): Promise<Stored<Value>>;
  get(id: string, signal?: AbortSignal): Promise<Stored<Value> | undefined>;
  /**
   * Writes over the version that the caller has seen.
   * @throws {AppError} CONFLICT when somebody else has changed it since, NOT_FOUND when it is gone.
   */
  replace(id: string, value: Value, version: number, signal?: AbortSignal): Promise<Stored<Value>>;
  /** @returns whether there was one. */
  remove(id: string, signal?: AbortSignal): Promise<boolean>;
  /** In the order of the ids. @throws {AppError} VALIDATION_ERROR for a cursor that was not made here. */
  list(page: PageRequest, signal?: AbortSignal): Promise<Page<Value>>;
}
