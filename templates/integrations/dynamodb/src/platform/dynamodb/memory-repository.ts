import { z } from "zod";
import { AppError } from "../errors.ts";
import { openCursor, sealCursor } from "../dynamodb/cursor.ts";
import type { Entity, Page, PageRequest, Repository, Stored } from "../dynamodb/repository.ts";

const CURSOR_KEY = "a key for tests";

/** A repository in memory. The test of repositories holds it to what the real one does. */
export class MemoryRepository<Schema extends z.ZodType> implements Repository<z.output<Schema>> {
  readonly #entity: Entity<Schema>;
  readonly #items = new Map<string, { version: number; data: string }>();

  constructor(entity: Entity<Schema>) {
    this.#entity = entity;
  }

  async create(id: string, value: z.output<Schema>) {
    if (this.#items.has(id)) throw new AppError("CONFLICT", `${id} is there already`);
    return this.#put({ id, version: 1, value });
  }

  async replace(id: string, value: z.output<Schema>, version: number) {
    const found = this.#items.get(id);
    if (found === undefined) throw new AppError("NOT_FOUND", `there is no ${id}`);
    if (found.version !== version) throw new AppError("CONFLICT", `${id} has changed`);
    return this.#put({ id, version: version + 1, value });
  }

  async get(id: string) {
    return this.#items.has(id) ? this.#read(id) : undefined;
  }

  async remove(id: string) {
    return this.#items.delete(id);
  }

  async list({ limit, cursor }: PageRequest) {
    const { name } = this.#entity;
    const after = cursor === undefined ? "" : openCursor(CURSOR_KEY, name, cursor);
    const ids = [...this.#items.keys()].filter((id) => id > after).toSorted();
    const page: Page<z.output<Schema>> = {
      items: ids.slice(0, limit).map((id) => this.#read(id)),
    };
    if (ids.length > limit) page.nextCursor = sealCursor(CURSOR_KEY, name, ids[limit - 1]!);
    return page;
  }

  #put(stored: Stored<z.output<Schema>>): Stored<z.output<Schema>> {
    const data = JSON.stringify(z.encode(this.#entity.schema, stored.value));
    this.#items.set(stored.id, { version: stored.version, data });
    return stored;
  }

  #read(id: string): Stored<z.output<Schema>> {
    const { version, data } = this.#items.get(id)!;
    return { id, version, value: z.decode(this.#entity.schema, JSON.parse(data)) };
  }
}
