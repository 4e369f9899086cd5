import type { z } from "zod";
import { openCursor, sealCursor, toPage } from "../pages.ts";
import {
  applyChanges,
  conflict,
  hasExpired,
  indexPartition,
  type Item,
  notFound,
  toItem,
} from "./items.ts";
import type {
  Changes,
  Entity,
  PageRequest,
  PlannedWrite,
  Query,
  Repository,
  SortCondition,
  Stored,
} from "./repository.ts";
import { decodeData } from "./storable.ts";

const CURSOR_KEY = "a key for memory";

/**
 * A repository in memory, for tests and for development without a server. The platform's tests hold it to what the real
 * one does.
 */
export class MemoryRepository<Schema extends z.ZodType> implements Repository<z.output<Schema>> {
  readonly #entity: Entity<Schema>;
  readonly #items = new Map<string, Item>();

  constructor(entity: Entity<Schema>) {
    this.#entity = entity;
  }

  readonly plan = {
    create: (id: string, value: z.output<Schema>): PlannedWrite => {
      const item = this.#item(id, value, 1);
      return new MemoryWrite(
        () => this.#current(id) === undefined,
        () => void this.#items.set(id, item),
      );
    },
    replace: (id: string, value: z.output<Schema>, version: number): PlannedWrite => {
      const item = this.#item(id, value, version + 1);
      return this.#ifVersion(id, version, () => void this.#items.set(id, item));
    },
    remove: (id: string, version: number): PlannedWrite =>
      this.#ifVersion(id, version, () => void this.#items.delete(id)),
    check: (id: string, version: number): PlannedWrite => this.#ifVersion(id, version, () => {}),
  };

  async create(id: string, value: z.output<Schema>) {
    const item = this.#item(id, value, 1);
    if (this.#current(id) !== undefined) throw conflict();
    this.#items.set(id, item);
    return { id, version: 1, value };
  }

  async replace(id: string, value: z.output<Schema>, version: number) {
    const item = this.#item(id, value, version + 1);
    const found = this.#current(id);
    if (found === undefined) throw notFound();
    if (found.version !== version) throw conflict();
    this.#items.set(id, item);
    return { id, version: version + 1, value };
  }

  async get(id: string) {
    const item = this.#current(id);
    return item && this.#read(item);
  }

  async getMany(ids: readonly string[]) {
    const items = [...new Set(ids)].map((id) => this.#current(id));
    return items.filter((item) => item !== undefined).map((item) => this.#read(item));
  }

  async update(
    id: string,
    changes: Changes<z.output<Schema>>,
    { version }: { version?: number } = {},
  ) {
    // In one step, so that nobody else is faster.
    const item = this.#current(id);
    if (item === undefined) throw notFound();
    const stored = this.#read(item);
    if (version !== undefined && version !== stored.version) throw conflict();
    return this.replace(id, applyChanges(stored.value, changes), stored.version);
  }

  async remove(id: string) {
    const existed = this.#current(id) !== undefined;
    this.#items.delete(id);
    return existed;
  }

  async putMany(things: readonly { id: string; value: z.output<Schema> }[]) {
    const items = things.map(({ id, value }) => this.#item(id, value, 1));
    for (const item of items) this.#items.set(item.sk, item);
  }

  async removeMany(ids: readonly string[]) {
    for (const id of ids) this.#items.delete(id);
  }

  list({ limit, cursor }: PageRequest) {
    return this.query({ limit, cursor });
  }

  async query({ limit, cursor, index, sort, descending = false }: Query) {
    const { name } = this.#entity;
    const [pk, sk] = index === undefined ? ["pk", "sk"] : [`${index.name}pk`, `${index.name}sk`];
    const partition = index === undefined ? name : indexPartition(name, index.partition);
    const list = `${pk}/${partition}/${descending}`;
    const placeOf = (item: Item): [string, string] => [String(item[sk]), item.sk];
    const direction = descending ? -1 : 1;
    const after =
      cursor === undefined
        ? undefined
        : (JSON.parse(openCursor(CURSOR_KEY, list, cursor)) as [string, string]);
    const found = [...this.#items.values()]
      .filter((item) => item[pk] === partition && !hasExpired(item))
      .filter((item) => sort === undefined || matches(String(item[sk]), sort))
      .filter((item) => after === undefined || compare(placeOf(item), after) * direction > 0)
      .toSorted((one, other) => compare(placeOf(one), placeOf(other)) * direction);
    const { items, ...next } = toPage(found, limit, (last) =>
      sealCursor(CURSOR_KEY, list, JSON.stringify(placeOf(last))),
    );
    return { items: items.map((item) => this.#read(item)), ...next };
  }

  #current(id: string): Item | undefined {
    const item = this.#items.get(id);
    return item === undefined || hasExpired(item) ? undefined : item;
  }

  #ifVersion(id: string, version: number, apply: () => void): PlannedWrite {
    return new MemoryWrite(() => this.#current(id)?.version === version, apply);
  }

  #item(id: string, value: z.output<Schema>, version: number): Item {
    const item = toItem(this.#entity, id, value, version, "");
    return { ...item, data: structuredClone(item.data) };
  }

  #read({ sk: id, version, data }: Item): Stored<z.output<Schema>> {
    const { data: value, error } = decodeData(this.#entity.schema, structuredClone(data));
    if (error !== undefined) throw error;
    return { id, version, value };
  }
}

class MemoryWrite implements PlannedWrite {
  readonly #holds: () => boolean;
  readonly #apply: () => void;

  constructor(holds: () => boolean, apply: () => void) {
    this.#holds = holds;
    this.#apply = apply;
  }

  async transact(writes: readonly PlannedWrite[]): Promise<void> {
    const all = writes.filter((write) => write instanceof MemoryWrite);
    if (!all.every((write) => write.#holds())) throw conflict();
    for (const write of all) write.#apply();
  }
}

function matches(key: string, sort: SortCondition): boolean {
  if ("equals" in sort) return key === sort.equals;
  if ("beginsWith" in sort) return key.startsWith(sort.beginsWith);
  if ("before" in sort) return bytes(key, sort.before) < 0;
  if ("from" in sort) return bytes(key, sort.from) >= 0;
  return bytes(key, sort.between[0]) >= 0 && bytes(key, sort.between[1]) <= 0;
}

function compare(one: readonly string[], other: readonly string[]): number {
  return bytes(one[0]!, other[0]!) || bytes(one[1]!, other[1]!);
}

/** DynamoDB sorts text by its UTF-8. */
function bytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
