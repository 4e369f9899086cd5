import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { z } from "zod";
import { awsErrorName, awsFailure } from "../aws-errors.ts";
import { callOptions } from "../aws.ts";
import { AppError } from "../errors.ts";
import { backoff } from "../timing.ts";
import { openCursor, sealCursor } from "../pages.ts";
import { sortExpression, updateExpression } from "./expressions.ts";
import {
  applyChanges,
  conflict,
  DERIVED,
  derivedAttributes,
  hasExpired,
  indexPartition,
  type Item,
  notFound,
  toItem,
} from "./items.ts";
import type {
  Changes,
  Entity,
  Page,
  PageRequest,
  PlannedWrite,
  Query,
  Repository,
  Stored,
} from "./repository.ts";
import { decodeData, encodeData } from "./storable.ts";
import { TableWrite } from "./table-write.ts";
import type { Table } from "./table.ts";

const UPDATE_TRIES = 5;
const BATCH_TRIES = 8;
const GET_BATCH = 100;
const WRITE_BATCH = 25;

/** Keeps things of one kind in the table, in a partition of their own. */
export class TableRepository<Schema extends z.ZodType> implements Repository<z.output<Schema>> {
  readonly #table: Table;
  readonly #entity: Entity<Schema>;

  constructor(table: Table, entity: Entity<Schema>) {
    this.#table = table;
    this.#entity = entity;
  }

  readonly plan = {
    create: (id: string, value: z.output<Schema>): PlannedWrite =>
      this.#planned({ Put: { ...this.#put({ id, version: 1, value }), ...this.#ifNew() } }),
    replace: (id: string, value: z.output<Schema>, version: number): PlannedWrite => {
      const put = this.#put({ id, version: version + 1, value });
      return this.#planned({ Put: { ...put, ...ifVersion(version) } });
    },
    remove: (id: string, version: number): PlannedWrite =>
      this.#planned({ Delete: { ...this.#at(id), ...ifVersion(version) } }),
    check: (id: string, version: number): PlannedWrite =>
      this.#planned({ ConditionCheck: { ...this.#at(id), ...ifVersion(version) } }),
  };

  create(id: string, value: z.output<Schema>, signal?: AbortSignal) {
    return this.#write({ id, version: 1, value }, this.#ifNew(), conflict, signal);
  }

  replace(id: string, value: z.output<Schema>, version: number, signal?: AbortSignal) {
    return this.#write({ id, version: version + 1, value }, ifVersion(version), notFound, signal);
  }

  async get(id: string, signal?: AbortSignal) {
    const input = { ...this.#at(id), ConsistentRead: true };
    const { Item: item } = await this.#table.document.get(input, callOptions(signal)).catch(fail);
    if (item === undefined || hasExpired(item)) return undefined;
    const result = this.#read(item as Item);
    if (result instanceof Error) throw result;
    return result;
  }

  async getMany(ids: readonly string[], signal?: AbortSignal) {
    const { name, document } = this.#table;
    const found: Stored<z.output<Schema>>[] = [];
    for (const part of partsOf([...new Set(ids)], GET_BATCH)) {
      let keys: Record<string, unknown>[] = part.map((id) => this.#key(id));
      for (let attempt = 1; keys.length > 0; attempt += 1) {
        const input = { RequestItems: { [name]: { Keys: keys, ConsistentRead: true } } };
        const { Responses, UnprocessedKeys } = await document
          .batchGet(input, callOptions(signal))
          .catch(fail);
        found.push(...this.#readAll((Responses?.[name] ?? []) as Item[]));
        keys = UnprocessedKeys?.[name]?.Keys ?? [];
        if (keys.length > 0) await waitForCapacity(attempt, signal);
      }
    }
    return found;
  }

  async update(
    id: string,
    changes: Changes<z.output<Schema>>,
    { version, signal }: { version?: number; signal?: AbortSignal } = {},
  ) {
    for (let attempt = 1; ; attempt += 1) {
      const stored = await this.get(id, signal);
      if (stored === undefined) throw notFound();
      if (version !== undefined && version !== stored.version) throw conflict();
      try {
        return await this.#change(stored, changes, signal);
      } catch (error) {
        const isRetried = error instanceof AppError && error.code === "CONFLICT";
        if (!isRetried || version !== undefined || attempt === UPDATE_TRIES) throw error;
        await delay(backoff(attempt, { firstMs: 20 }), undefined, signal && { signal });
      }
    }
  }

  async remove(id: string, signal?: AbortSignal) {
    const input = { ...this.#at(id), ReturnValues: "ALL_OLD" as const };
    const { document } = this.#table;
    const { Attributes, $metadata } = await document.delete(input, callOptions(signal)).catch(fail);
    // After a retry it is gone also when only the answer to the first try got lost.
    if (Attributes === undefined) return ($metadata.attempts ?? 1) > 1;
    return !hasExpired(Attributes);
  }

  async putMany(things: readonly { id: string; value: z.output<Schema> }[], signal?: AbortSignal) {
    const requests = things.map(({ id, value }) => ({
      PutRequest: { Item: this.#put({ id, version: 1, value }).Item },
    }));
    await this.#writeAll(requests, signal);
  }

  async removeMany(ids: readonly string[], signal?: AbortSignal) {
    const requests = ids.map((id) => ({ DeleteRequest: { Key: this.#key(id) } }));
    await this.#writeAll(requests, signal);
  }

  list(page: PageRequest, signal?: AbortSignal) {
    return this.query({ limit: page.limit, cursor: page.cursor }, signal);
  }

  async query({ limit, cursor, index, sort, descending = false }: Query, signal?: AbortSignal) {
    const { name, cursorKey, document } = this.#table;
    const prefix = index?.name ?? "";
    const partition =
      index === undefined ? this.#entity.name : indexPartition(this.#entity.name, index.partition);
    // A cursor is for one list in one direction only.
    const list = index === undefined ? this.#entity.name : `${index.name}/${partition}`;
    const seal = descending ? `${list}/descending` : list;
    const condition = sort && sortExpression(sort);
    const position = cursor === undefined ? undefined : openCursor(cursorKey, seal, cursor);
    const input = {
      TableName: name,
      ...(index && { IndexName: index.name }),
      KeyConditionExpression: ["#pk = :pk", condition?.expression].filter(Boolean).join(" AND "),
      ExpressionAttributeNames: {
        "#pk": `${prefix}pk`,
        ...(condition && { "#sk": `${prefix}sk` }),
      },
      ExpressionAttributeValues: { ":pk": partition, ...condition?.values },
      ScanIndexForward: !descending,
      // One more than asked for tells whether another page follows.
      Limit: limit + 1,
      ...(position !== undefined && {
        ExclusiveStartKey: this.#startKey(index?.name, partition, position),
      }),
    };
    const { Items = [], LastEvaluatedKey } = await document
      .query(input, callOptions(signal))
      .catch(fail);
    const items = (Items as Item[]).slice(0, limit);
    const last = Items.length > limit ? items.at(-1) : LastEvaluatedKey;
    const page: Page<z.output<Schema>> = { items: this.#readAll(items) };
    if (last !== undefined) {
      const place = index === undefined ? [last["sk"]] : [last["sk"], last[`${index.name}sk`]];
      page.nextCursor = sealCursor(cursorKey, seal, JSON.stringify(place));
    }
    return page;
  }

  #startKey(index: string | undefined, partition: string, position: string) {
    // Until 0.2.0 a position was an id and nothing else.
    const [id = "", sort = ""] = position.startsWith("[")
      ? (JSON.parse(position) as string[])
      : [position];
    const key = this.#key(id);
    return index === undefined ? key : { ...key, [`${index}pk`]: partition, [`${index}sk`]: sort };
  }

  /** Writes what has changed, on condition that the version has not. */
  async #change(
    { id, version, value }: Stored<z.output<Schema>>,
    changes: Changes<z.output<Schema>>,
    signal: AbortSignal | undefined,
  ): Promise<Stored<z.output<Schema>>> {
    const changed = applyChanges(value, changes);
    const data = encodeData(this.#entity.schema, changed) as Record<string, unknown>;
    const before = encodeData(this.#entity.schema, value) as Record<string, unknown>;
    const set: [path: string[], value: unknown][] = [];
    const removed: string[][] = [];
    for (const name of new Set([...Object.keys(before), ...Object.keys(data)])) {
      if (data[name] === undefined) removed.push(["data", name]);
      else if (!isEqual(data[name], before[name])) set.push([["data", name], data[name]]);
    }
    const derived = derivedAttributes(this.#entity, id, changed);
    for (const name of DERIVED) {
      if (derived[name] === undefined) removed.push([name]);
      else set.push([[name], derived[name]]);
    }
    const write = randomUUID();
    set.push([["version"], version + 1], [["write"], write]);
    const input = {
      ...this.#at(id),
      ...updateExpression(set, removed, version),
      ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
    };
    await this.#conditional(write, notFound, () =>
      this.#table.document.update(input, callOptions(signal)),
    );
    return { id, version: version + 1, value: changed };
  }

  async #write(
    stored: Stored<z.output<Schema>>,
    condition: object,
    whenMissing: () => AppError,
    signal: AbortSignal | undefined,
  ): Promise<Stored<z.output<Schema>>> {
    const put = this.#put(stored);
    const input = { ...put, ...condition, ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const };
    await this.#conditional(put.Item.write, whenMissing, () =>
      this.#table.document.put(input, callOptions(signal)),
    );
    return stored;
  }

  async #conditional(
    write: string,
    whenMissing: () => AppError,
    send: () => Promise<unknown>,
  ): Promise<void> {
    try {
      await send();
    } catch (error) {
      if (awsErrorName(error) !== "ConditionalCheckFailedException") fail(error);
      const { Item: found } = error as { Item?: Record<string, { S?: string; N?: string }> };
      // An earlier try has written it, and only its answer got lost.
      if (found?.["write"]?.S === write) return;
      const expires = Number(found?.["expires"]?.N ?? Infinity);
      throw found === undefined || hasExpired({ expires }) ? whenMissing() : conflict();
    }
  }

  async #writeAll(requests: object[], signal: AbortSignal | undefined): Promise<void> {
    const { name, document } = this.#table;
    for (const part of partsOf(requests, WRITE_BATCH)) {
      let waiting: object[] = part;
      for (let attempt = 1; waiting.length > 0; attempt += 1) {
        const input = { RequestItems: { [name]: waiting } };
        const { UnprocessedItems } = await document
          .batchWrite(input, callOptions(signal))
          .catch(fail);
        waiting = UnprocessedItems?.[name] ?? [];
        if (waiting.length > 0) await waitForCapacity(attempt, signal);
      }
    }
  }

  #put({ id, version, value }: Stored<z.output<Schema>>) {
    const item = toItem(this.#entity, id, value, version, randomUUID());
    return { TableName: this.#table.name, Item: item };
  }

  #planned(write: object): PlannedWrite {
    return new TableWrite(this.#table, write);
  }

  /** What has expired counts as not existing, although it is not yet deleted. */
  #ifNew() {
    if (this.#entity.expiresAt === undefined) {
      return { ConditionExpression: "attribute_not_exists(pk)" };
    }
    return {
      ConditionExpression: "attribute_not_exists(pk) OR #expires <= :now",
      ExpressionAttributeNames: { "#expires": "expires" },
      ExpressionAttributeValues: { ":now": Math.floor(Date.now() / 1_000) },
    };
  }

  #at(id: string) {
    return { TableName: this.#table.name, Key: this.#key(id) };
  }

  #key(id: string): { pk: string; sk: string } {
    return { pk: this.#entity.name, sk: id };
  }

  /** What can be read of these items. A broken one does not make the others unreachable: it is logged and counted. */
  #readAll(items: readonly Item[]): Stored<z.output<Schema>>[] {
    return items
      .filter((item) => !hasExpired(item))
      .flatMap((item) => {
        const result = this.#read(item);
        if (!(result instanceof Error)) return [result];
        this.#table.reportBroken(this.#entity.name, item.sk, result);
        return [];
      });
  }

  #read({ sk: id, version, data }: Item): Stored<z.output<Schema>> | Error {
    const result = decodeData(this.#entity.schema, data);
    if (result.success) return { id, version, value: result.data };
    return new Error(`the stored ${this.#entity.name} ${id} breaks its schema`, {
      cause: result.error,
    });
  }
}

function ifVersion(version: number) {
  return {
    ConditionExpression: "#version = :version",
    ExpressionAttributeNames: { "#version": "version" },
    ExpressionAttributeValues: { ":version": version },
  };
}

function isEqual(one: unknown, other: unknown): boolean {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === "bigint" ? `${inner}n` : inner instanceof Set ? [...inner] : inner,
    );
  return one === other || text(one) === text(other);
}

function partsOf<Part>(all: readonly Part[], size: number): Part[][] {
  const count = Math.ceil(all.length / size);
  return Array.from({ length: count }, (_, index) => all.slice(index * size, (index + 1) * size));
}

/** DynamoDB has left out some of a batch, as it is throttling. @throws {AppError} OVERLOADED after many tries. */
async function waitForCapacity(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  if (attempt === BATCH_TRIES) {
    throw awsFailure({ name: "ProvisionedThroughputExceededException" });
  }
  await delay(backoff(attempt, { firstMs: 50, longestMs: 2_000 }), undefined, signal && { signal });
}

function fail(error: unknown): never {
  throw failureOf(error);
}

/** @returns 413 for an item that is too large, the error itself for a mistake of ours, else what the service deserves. */
export function failureOf(error: unknown): unknown {
  if (awsErrorName(error) !== "ValidationException") return awsFailure(error);
  if (!/item size/i.test((error as Error).message)) return error;
  return new AppError("PAYLOAD_TOO_LARGE", "The resource is larger than 400 KB", { cause: error });
}
