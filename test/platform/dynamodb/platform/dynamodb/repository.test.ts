import { randomUUID } from "node:crypto";
import { Registry } from "@prometheus-io/client";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  type Entity,
  type Query,
  type Repository,
  transact,
} from "../../../src/platform/dynamodb/repository.ts";
import { TableRepository } from "../../../src/platform/dynamodb/table-repository.ts";
import { openTable, TABLE_SCHEMA } from "../../../src/platform/dynamodb/table.ts";
import { MemoryRepository } from "./memory-repository.ts";

const instant = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});
const schema = z.object({
  text: z.string().min(1),
  at: instant,
  note: z.string().optional(),
  author: z.string().optional(),
  likes: z.int().min(0).optional(),
  total: z.bigint().optional(),
  ratio: z.number().optional(),
  until: instant.optional(),
});
type Memo = z.output<typeof schema>;

const entity: Entity<typeof schema> = {
  name: "memo",
  schema,
  indexes: {
    gsi1: ({ author, at }) =>
      author === undefined ? undefined : { partition: author, sort: at.toISOString() },
  },
  expiresAt: ({ until }) => until,
};

const memo: Memo = { text: "one", at: new Date("2026-01-02T03:04:05.678Z") };
const endpoint = process.env.AWS_ENDPOINT_URL_DYNAMODB;

async function onTheServer(): Promise<Repository<Memo>> {
  const DYNAMODB_TABLE = `test-${randomUUID()}`;
  const settings = { ENVIRONMENT: "dev", SERVICE_NAME: "svc", AWS_REGION: "us-east-1" };
  const table = await openTable(
    { ...settings, DYNAMODB_TABLE, AWS_ENDPOINT_URL_DYNAMODB: endpoint },
    new Registry(),
  );
  const { CreateTableCommand } = await import("@aws-sdk/client-dynamodb");
  await table.document.send(new CreateTableCommand({ ...TABLE_SCHEMA, TableName: DYNAMODB_TABLE }));
  return new TableRepository(table, entity);
}

// The fake is only as good as its likeness: with AWS_ENDPOINT_URL_DYNAMODB set, both are held to the same.
describe.each([
  ["the fake", true, async () => new MemoryRepository(entity)],
  ["DynamoDB", endpoint !== undefined, onTheServer],
] as const)("%s", (_name, there, open) => {
  describe.runIf(there)("as a repository", () => {
    test("gives back what was put in, typed", async () => {
      const memos = await open();
      expect(await memos.create("a", memo)).toEqual({ id: "a", version: 1, value: memo });
      expect(await memos.get("a")).toEqual({ id: "a", version: 1, value: memo });
      expect(await memos.get("b")).toBeUndefined();
    });

    test("refuses what breaks the schema", async () => {
      const memos = await open();
      await expect(memos.create("a", { ...memo, text: "" })).rejects.toThrow(/text/);
      expect(await memos.get("a")).toBeUndefined();
    });

    test("creates a thing once, however many try", async () => {
      const memos = await open();
      const tries = Array.from({ length: 50 }, (_, index) =>
        memos.create("a", { ...memo, text: String(index) }),
      );
      const results = await Promise.allSettled(tries);
      const won = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
      const codes = results.flatMap((result) =>
        result.status === "rejected" ? (result.reason as { code: string }).code : [],
      );
      expect([won.length, codes.length, ...new Set(codes)]).toEqual([1, 49, "CONFLICT"]);
      expect(await memos.get("a")).toEqual(won[0]);
    });

    test("replaces the version that was seen, and no other", async () => {
      const memos = await open();
      await memos.create("a", memo);
      const second = { ...memo, text: "two" };
      expect(await memos.replace("a", second, 1)).toMatchObject({ version: 2, value: second });
      await expect(memos.replace("a", memo, 1)).rejects.toMatchObject({ code: "CONFLICT" });
      await expect(memos.replace("b", memo, 1)).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await memos.get("a")).toMatchObject({ version: 2, value: second });
    });

    test("says whether there was something to remove", async () => {
      const memos = await open();
      await memos.create("a", memo);
      expect(await memos.remove("a")).toBe(true);
      expect(await memos.remove("a")).toBe(false);
      expect(await memos.create("a", memo)).toMatchObject({ version: 1 });
    });

    test("lists page by page, each thing once, and ends without an empty page", async () => {
      const memos = await open();
      for (const id of ["d", "a", "c", "b"]) await memos.create(id, memo);
      const pages: string[][] = [];
      let cursor: string | undefined;
      do {
        const page = await memos.list({ limit: 2, cursor });
        pages.push(page.items.map(({ id }) => id));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(pages).toEqual([
        ["a", "b"],
        ["c", "d"],
      ]);
    });

    test("takes no cursor but its own", async () => {
      const memos = await open();
      await expect(memos.list({ limit: 1, cursor: "x" })).rejects.toMatchObject({
        code: "VALIDATION_ERROR",
      });
    });

    test("finds a part of them by their ids, in both directions", async () => {
      const memos = await open();
      await memos.putMany(["a-1", "a-2", "a-3", "b-1"].map((id) => ({ id, value: memo })));
      const ids = async (query: Omit<Query, "limit">) => {
        const { items } = await memos.query({ limit: 10, ...query });
        return items.map(({ id }) => id);
      };
      expect(await ids({ sort: { beginsWith: "a-" } })).toEqual(["a-1", "a-2", "a-3"]);
      expect(await ids({ sort: { beginsWith: "a-" }, descending: true })).toEqual([
        "a-3",
        "a-2",
        "a-1",
      ]);
      expect(await ids({ sort: { between: ["a-2", "b-1"] } })).toEqual(["a-2", "a-3", "b-1"]);
      expect(await ids({ sort: { before: "a-2" } })).toEqual(["a-1"]);
      expect(await ids({ sort: { from: "a-3" } })).toEqual(["a-3", "b-1"]);
      expect(await ids({ sort: { equals: "a-2" } })).toEqual(["a-2"]);
    });

    test("finds them in an index, page by page, as its sort key says", async () => {
      const memos = await open();
      const day = (number: number): Date => new Date(Date.UTC(2026, 0, number));
      for (const [id, author, number] of [
        ["w", "ann", 3],
        ["x", "ann", 1],
        ["y", "bob", 2],
        ["z", "ann", 2],
      ] as const) {
        await memos.create(id, { ...memo, author, at: day(number) });
      }
      await memos.create("v", memo);
      const index = { name: "gsi1", partition: "ann" } as const;
      const first = await memos.query({ limit: 2, index });
      expect(first.items.map(({ id }) => id)).toEqual(["x", "z"]);
      const second = await memos.query({ limit: 2, index, cursor: first.nextCursor });
      expect([second.items.map(({ id }) => id), second.nextCursor]).toEqual([["w"], undefined]);
      const sort = { from: day(2).toISOString() };
      const late = await memos.query({ limit: 9, index, sort, descending: true });
      expect(late.items.map(({ id }) => id)).toEqual(["w", "z"]);
      await memos.update("w", { remove: ["author"] });
      expect((await memos.query({ limit: 9, index })).items).toHaveLength(2);
    });

    test("changes fields, and no others", async () => {
      const memos = await open();
      await memos.create("a", { ...memo, note: "old", likes: 1 });
      const changed = await memos.update("a", { set: { text: "two" }, remove: ["note"] });
      expect(changed).toEqual({ id: "a", version: 2, value: { ...memo, text: "two", likes: 1 } });
      await memos.update("a", { add: { likes: 2 } });
      expect(await memos.get("a")).toMatchObject({ version: 3, value: { likes: 3 } });
      const stale = memos.update("a", { set: { text: "x" } }, { version: 1 });
      await expect(stale).rejects.toMatchObject({ code: "CONFLICT" });
      await expect(memos.update("b", {})).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(memos.update("a", { set: { text: "" } })).rejects.toThrow(/text/);
    });

    test("loses no change, however many come at once", async () => {
      const memos = await open();
      await memos.create("a", { ...memo, likes: 1 });
      await Promise.all([1, 2, 3].map(() => memos.update("a", { add: { likes: 2 } })));
      expect(await memos.get("a")).toMatchObject({ version: 4, value: { likes: 7 } });
    });

    test("gets, puts and removes many at once", async () => {
      const memos = await open();
      const ids = Array.from({ length: 130 }, (_, index) => `id-${index}`);
      await memos.putMany(ids.map((id) => ({ id, value: memo })));
      const found = await memos.getMany([...ids, "none", "id-1"]);
      expect(found.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
      await memos.removeMany(ids.slice(1));
      expect(await memos.getMany(ids)).toEqual([{ id: "id-0", version: 1, value: memo }]);
    });

    test("writes all of a transaction, or nothing", async () => {
      const memos = await open();
      await memos.create("a", memo);
      await memos.create("b", memo);
      const two = { ...memo, text: "two" };
      const { plan } = memos;
      await transact([plan.create("c", memo), plan.replace("a", two, 1), plan.remove("b", 1)]);
      expect((await memos.getMany(["a", "b", "c"])).map(({ id }) => id).toSorted()).toEqual([
        "a",
        "c",
      ]);
      const failing = transact([plan.create("d", memo), plan.check("a", 1)]);
      await expect(failing).rejects.toMatchObject({ code: "CONFLICT" });
      expect(await memos.get("d")).toBeUndefined();
    });

    test("gives back numbers as they were", async () => {
      const memos = await open();
      const numbers = [
        { total: 5n, ratio: 1.5e20 },
        { total: 12_345_678_901_234_567_890_123n, ratio: 0.1 },
        { total: -(2n ** 64n), ratio: 1e-120 },
      ];
      for (const [index, value] of numbers.entries()) {
        await memos.create(`id-${index}`, { ...memo, ...value });
        expect((await memos.get(`id-${index}`))?.value).toEqual({ ...memo, ...value });
      }
    });

    test("has nothing that has expired", async () => {
      const memos = await open();
      const until = new Date(Date.now() - 60_000);
      await memos.create("a", { ...memo, until });
      expect([await memos.get("a"), await memos.getMany(["a"])]).toEqual([undefined, []]);
      expect((await memos.list({ limit: 9 })).items).toEqual([]);
      expect(await memos.create("a", memo)).toMatchObject({ version: 1 });
    });

    test.each([
      ["text that is half a character", { text: "\ud800" }, "Request validation failed"],
      ["not a number", { ratio: NaN }, "ratio"],
      ["too many digits", { total: 10n ** 40n + 1n }, "data.total has more than 38 digits"],
    ])("refuses %s, and says why", async (_what, part, message) => {
      const memos = await open();
      await expect(memos.create("a", { ...memo, ...part })).rejects.toThrow(message);
    });

    test("refuses keys that are none", async () => {
      const memos = await open();
      await expect(memos.create("", memo)).rejects.toThrow("the key sk is empty");
      await expect(memos.create("\udc00", memo)).rejects.toMatchObject({
        code: "VALIDATION_ERROR",
      });
    });
  });
});
