import { describe, expect, test } from "vitest";
import { createTestApp, errorOf } from "../support.ts";

const receipt = {
  retailer: "M&M Corner Market",
  purchaseDate: "2022-03-20",
  purchaseTime: "14:33",
  items: Array.from({ length: 4 }, () => ({ shortDescription: "Gatorade", price: "2.25" })),
  total: "9.00",
};

describe("POST /api/v1/receipts/points", () => {
  const post = { method: "POST", url: "/api/v1/receipts/points" } as const;

  test("answers the points and what each rule gave", async () => {
    await using app = await createTestApp();
    const response = await app.inject({ ...post, payload: receipt });
    expect(response.statusCode).toBe(200);
    expect(response.headers["content-type"]).toBe("application/json");
    expect(response.json()).toEqual({
      points: 109,
      breakdown: [
        { rule: "retailer_name", points: 14 },
        { rule: "round_total", points: 50 },
        { rule: "quarter_total", points: 25 },
        { rule: "item_pairs", points: 10 },
        { rule: "afternoon", points: 10 },
      ],
    });
  });

  test("names every field that is wrong", async () => {
    await using app = await createTestApp();
    const payload = {
      ...receipt,
      total: "9",
      purchaseDate: "2022-02-30",
      items: [{ price: "1.00" }],
    };
    const response = await app.inject({ ...post, payload });
    expect(response.statusCode).toBe(400);
    expect(errorOf(response).code).toBe("VALIDATION_ERROR");
    expect(errorOf(response).details).toEqual([
      { field: "body.purchaseDate", message: "Invalid ISO date" },
      { field: "body.items.0.shortDescription", message: "Field required" },
      { field: "body.total", message: "must be an amount with two decimals, such as 12.25" },
    ]);
  });

  test.each([
    ["a number as the total", { total: 9 }],
    ["a negative price", { items: [{ shortDescription: "x", price: "-1.00" }] }],
    ["no items", { items: [] }],
    ["an hour that does not exist", { purchaseTime: "24:00" }],
    ["a retailer of blanks", { retailer: "   " }],
  ])("refuses %s", async (_name, change) => {
    await using app = await createTestApp();
    const response = await app.inject({ ...post, payload: { ...receipt, ...change } });
    expect(response.statusCode).toBe(400);
  });
});

test("GET /api/v1/receipts/rules lists the rules that a breakdown can name", async () => {
  await using app = await createTestApp();
  const response = await app.inject({ method: "GET", url: "/api/v1/receipts/rules" });
  expect(response.statusCode).toBe(200);
  const { rules } = response.json<{ rules: { name: string; description: string }[] }>();
  expect(rules.map(({ name }) => name)).toEqual([
    "retailer_name",
    "round_total",
    "quarter_total",
    "item_pairs",
    "description_length",
    "odd_day",
    "afternoon",
  ]);
});
