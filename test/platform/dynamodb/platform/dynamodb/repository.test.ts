import { randomUUID } from "node:crypto";
import { Registry } from "@prometheus-io/client";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Repository } from "../../../src/platform/dynamodb/repository.ts";
import { TableRepository } from "../../../src/platform/dynamodb/table-repository.ts";
import { openTable, TABLE_SCHEMA } from "../../../src/platform/dynamodb/table.ts";
import { MemoryRepository } from "./memory-repository.ts";

const instant = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});
const schema = z.object({ text: z.string().min(1), at: instant, note: z.string().optional() });
type Memo = z.output<typeof schema>;

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
  return new TableRepository(table, { name: "memo", schema });
}

// The fake is only as good as its likeness: with AWS_ENDPOINT_URL_DYNAMODB set, both are held to the same.
describe.each([
  ["the fake", true, async () => new MemoryRepository({ name: "memo", schema })],
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
  });
});
