import { expect, test } from "vitest";
import { type Receipt, rules, scoreReceipt, toCents } from "../../src/services/receipt-points.ts";

const plain: Receipt = {
  retailer: "--",
  purchaseDate: "2022-01-02",
  purchaseTime: "09:00",
  totalCents: 101,
  items: [{ shortDescription: "four", priceCents: 101 }],
};

function pointsOf(rule: string, change: Partial<Receipt>): number {
  return rules.find(({ name }) => name === rule)!.points({ ...plain, ...change });
}

test("a receipt that no rule likes has no points", () => {
  expect(scoreReceipt(plain)).toEqual({ points: 0, breakdown: [] });
});

test.each([
  ["Target", 6],
  ["M&M Corner Market", 14],
  ["Café 24/7", 7],
])("retailer_name: %s", (retailer, points) => {
  expect(pointsOf("retailer_name", { retailer })).toBe(points);
});

test.each([
  [900, 50, 25],
  [925, 0, 25],
  [910, 0, 0],
  [0, 50, 25],
])("round_total and quarter_total: %i cents", (totalCents, round, quarter) => {
  expect(pointsOf("round_total", { totalCents })).toBe(round);
  expect(pointsOf("quarter_total", { totalCents })).toBe(quarter);
});

test.each([
  [1, 0],
  [2, 5],
  [5, 10],
])("item_pairs: %i items", (count, points) => {
  const items = Array.from({ length: count }, () => plain.items[0]!);
  expect(pointsOf("item_pairs", { items })).toBe(points);
});

test.each([
  ["Emils Cheese Pizza", 1_225, 3],
  ["   Klarbrunn 12-PK 12 FL OZ  ", 1_200, 3],
  ["abc", 500, 1],
  ["abc", 501, 2],
  ["abcd", 500, 0],
  ["äöü", 500, 1],
])("description_length: %s at %i cents", (shortDescription, priceCents, points) => {
  expect(pointsOf("description_length", { items: [{ shortDescription, priceCents }] })).toBe(
    points,
  );
});

test("odd_day", () => {
  expect(pointsOf("odd_day", { purchaseDate: "2022-01-31" })).toBe(6);
  expect(pointsOf("odd_day", { purchaseDate: "2022-01-30" })).toBe(0);
});

test.each([
  ["13:59", 0],
  ["14:00", 10],
  ["15:59", 10],
  ["16:00", 0],
])("afternoon: %s", (purchaseTime, points) => {
  expect(pointsOf("afternoon", { purchaseTime })).toBe(points);
});

test("amounts become cents without rounding", () => {
  expect(toCents("0.29")).toBe(29);
  expect(toCents("1.10")).toBe(110);
  expect(toCents("9999999999.99")).toBe(999_999_999_999);
});
