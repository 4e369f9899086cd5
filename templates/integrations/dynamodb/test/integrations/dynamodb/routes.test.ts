import { describe, expect, test } from "vitest";
import { createTestApp, errorOf, type TestApp } from "../../support.ts";

const ID = "3f0c9a34-8f0c-4c1b-9b5c-0d6a1f1f7c01";
const url = `/api/v1/receipts/${ID}`;
const receipt = {
  retailer: "Target",
  purchaseDate: "2026-01-02",
  total: "6.49",
  items: [{ shortDescription: "Mountain Dew 12PK", price: "6.49" }],
};

function put(app: TestApp, payload: object = receipt, headers: Record<string, string> = {}) {
  return app.inject({ method: "PUT", url, payload, headers });
}

test("a receipt is put, got and deleted", async () => {
  await using app = await createTestApp();
  const created = await put(app);
  expect([created.statusCode, created.headers.etag]).toEqual([201, '"1"']);
  expect(created.json()).toEqual({ ...receipt, id: ID, version: 1 });
  const got = await app.inject({ method: "GET", url });
  expect([got.statusCode, got.headers.etag, got.json()]).toEqual([200, '"1"', created.json()]);
  const deleted = await app.inject({ method: "DELETE", url });
  expect([deleted.statusCode, deleted.body]).toEqual([204, ""]);
  for (const method of ["GET", "DELETE"] as const) {
    const response = await app.inject({ method, url });
    expect(errorOf(response).code).toBe("NOT_FOUND");
  }
});

test("a second one under the same id is a conflict", async () => {
  await using app = await createTestApp();
  await put(app);
  const second = await put(app, { ...receipt, retailer: "Walgreens" });
  expect([second.statusCode, errorOf(second).code]).toEqual([409, "CONFLICT"]);
});

describe("with If-Match, PUT", () => {
  test("replaces the version that the caller has seen", async () => {
    await using app = await createTestApp();
    await put(app);
    const replaced = await put(app, { ...receipt, retailer: "Walgreens" }, { "if-match": '"1"' });
    expect([replaced.statusCode, replaced.headers.etag]).toEqual([200, '"2"']);
    expect(replaced.json()).toMatchObject({ retailer: "Walgreens", version: 2 });
    const late = await put(app, receipt, { "if-match": '"1"' });
    expect(errorOf(late).code).toBe("CONFLICT");
  });

  test("has nothing to replace where nothing is", async () => {
    await using app = await createTestApp();
    expect((await put(app, receipt, { "if-match": '"1"' })).statusCode).toBe(404);
  });

  test("refuses what is no version", async () => {
    await using app = await createTestApp();
    expect((await put(app, receipt, { "if-match": "*" })).statusCode).toBe(400);
  });
});

test("receipts are listed page by page", async () => {
  await using app = await createTestApp();
  const ids = Array.from({ length: 5 }, (_, index) => ID.replace(/.$/, String(index)));
  for (const id of ids.toReversed())
    await app.inject({ method: "PUT", url: `/api/v1/receipts/${id}`, payload: receipt });
  const seen: string[] = [];
  let query = "?limit=2";
  for (let pages = 0; pages < 3; pages += 1) {
    const response = await app.inject({ method: "GET", url: `/api/v1/receipts${query}` });
    const page = response.json<{ receipts: { id: string }[]; nextCursor?: string }>();
    seen.push(...page.receipts.map(({ id }) => id));
    query = `?limit=2&cursor=${page.nextCursor}`;
  }
  expect(seen).toEqual(ids);
});

test("a cursor that was made up is refused", async () => {
  await using app = await createTestApp();
  const response = await app.inject({ method: "GET", url: "/api/v1/receipts?cursor=abc" });
  expect([response.statusCode, errorOf(response).details?.[0]?.field]).toEqual([
    400,
    "query.cursor",
  ]);
});

test.each([
  ["an id that is none", "/api/v1/receipts/7", receipt, "params.id"],
  ["a total that is no amount", url, { ...receipt, total: "6" }, "body.total"],
])("%s is refused", async (_name, address, payload, field) => {
  await using app = await createTestApp();
  const response = await app.inject({ method: "PUT", url: address, payload });
  expect([response.statusCode, errorOf(response).details?.[0]?.field]).toEqual([400, field]);
});
