import { randomUUID } from "node:crypto";
import { z } from "zod";
import { awsErrorName, awsFailure } from "../aws-errors.ts";
import { callOptions } from "../aws.ts";
import { AppError } from "../errors.ts";
import { openCursor, sealCursor } from "./cursor.ts";
import type { Entity, Page, PageRequest, Repository, Stored } from "./repository.ts";
import type { Table } from "./table.ts";

/** An item of the table. */
interface Item {
  pk: string;
  sk: string;
  version: number;
  /** Which call wrote it. */
  write: string;
  data: unknown;
}

/** Keeps things of one kind in the table, in a partition of their own. */
export class TableRepository<Schema extends z.ZodType> implements Repository<z.output<Schema>> {
  readonly #table: Table;
  readonly #entity: Entity<Schema>;

  constructor(table: Table, entity: Entity<Schema>) {
    this.#table = table;
    this.#entity = entity;
  }

  create(id: string, value: z.output<Schema>, signal?: AbortSignal) {
    const condition = { ConditionExpression: "attribute_not_exists(pk)" };
    return this.#put({ id, version: 1, value }, condition, signal);
  }

  replace(id: string, value: z.output<Schema>, version: number, signal?: AbortSignal) {
    const condition = {
      ConditionExpression: "#version = :version",
      ExpressionAttributeNames: { "#version": "version" },
      ExpressionAttributeValues: { ":version": version },
    };
    return this.#put({ id, version: version + 1, value }, condition, signal);
  }

  async get(id: string, signal?: AbortSignal) {
    const input = { TableName: this.#table.name, Key: this.#key(id), ConsistentRead: true };
    const { Item } = await this.#table.document.get(input, callOptions(signal)).catch(fail);
    return Item === undefined ? undefined : this.#read(Item as Item);
  }

  async remove(id: string, signal?: AbortSignal) {
    const input = {
      TableName: this.#table.name,
      Key: this.#key(id),
      ReturnValues: "ALL_OLD" as const,
    };
    const { document } = this.#table;
    const { Attributes, $metadata } = await document.delete(input, callOptions(signal)).catch(fail);
    // A second try finds nothing when it was only the answer to the first that got lost.
    return Attributes !== undefined || ($metadata.attempts ?? 1) > 1;
  }

  async list({ limit, cursor }: PageRequest, signal?: AbortSignal) {
    const { name, cursorKey, document } = this.#table;
    const list = this.#entity.name;
    const input = {
      TableName: name,
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": list },
      // One more than asked for tells whether another page follows.
      Limit: limit + 1,
      ...(cursor === undefined
        ? {}
        : { ExclusiveStartKey: this.#key(openCursor(cursorKey, list, cursor)) }),
    };
    const { Items = [], LastEvaluatedKey } = await document
      .query(input, callOptions(signal))
      .catch(fail);
    const items = (Items as Item[]).slice(0, limit);
    const last = Items.length > limit ? items.at(-1) : LastEvaluatedKey;
    const page: Page<z.output<Schema>> = { items: items.map((item) => this.#read(item)) };
    if (last !== undefined) page.nextCursor = sealCursor(cursorKey, list, String(last.sk));
    return page;
  }

  async #put(
    { id, version, value }: Stored<z.output<Schema>>,
    condition: object,
    signal: AbortSignal | undefined,
  ): Promise<Stored<z.output<Schema>>> {
    const write = randomUUID();
    const data = z.encode(this.#entity.schema, value);
    const input = {
      TableName: this.#table.name,
      Item: { ...this.#key(id), version, write, data } satisfies Item,
      ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
      ...condition,
    };
    try {
      await this.#table.document.put(input, callOptions(signal));
    } catch (error) {
      if (awsErrorName(error) !== "ConditionalCheckFailedException") throw failureOf(error);
      const { Item: found } = error as { Item?: { write?: { S?: string } } };
      // A try before this one has written it, and only the answer got lost.
      if (found?.write?.S !== write) throw refusal(found === undefined);
    }
    return { id, version, value };
  }

  #key(id: string): Pick<Item, "pk" | "sk"> {
    return { pk: this.#entity.name, sk: id };
  }

  #read({ sk: id, version, data }: Item): Stored<z.output<Schema>> {
    const result = z.safeDecode(this.#entity.schema, data as z.input<Schema>);
    if (result.success) return { id, version, value: result.data };
    throw new Error(`the stored ${this.#entity.name} ${id} breaks its schema`, {
      cause: result.error,
    });
  }
}

function refusal(missing: boolean): AppError {
  return missing
    ? new AppError("NOT_FOUND", "The requested resource does not exist")
    : new AppError("CONFLICT", "The resource is there already, or somebody else has changed it");
}

function fail(error: unknown): never {
  throw failureOf(error);
}

function failureOf(error: unknown): AppError {
  if (awsErrorName(error) === "ValidationException" && /item size/i.test((error as Error).message))
    return new AppError("PAYLOAD_TOO_LARGE", "The resource is larger than 400 KB", {
      cause: error,
    });
  return awsFailure(error);
}
