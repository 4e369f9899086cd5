import { type Check, needed } from "../../src/verify/check.ts";
import { QUERIES } from "../../src/verify/checks/paths.ts";
import {
  errorOf,
  expect,
  expectEqual,
  expectError,
  expectStatus,
  show,
} from "../../src/verify/expect.ts";
import { STANDARD } from "../../src/verify/standard.ts";
import type { Target } from "../../src/verify/target.ts";
import type { WireResponse } from "../../src/verify/wire/response.ts";
import { send } from "../../src/verify/wire/send.ts";

interface Award {
  rule: string;
  points: number;
}

interface Points {
  points: number;
  breakdown: Award[];
}

/** A receipt that earns nothing: every rule can be tried alone on top of it. */
export const PLAIN = {
  retailer: "&",
  purchaseDate: "2026-11-24",
  purchaseTime: "10:00",
  items: [{ shortDescription: "ab", price: "1.01" }],
  total: "1.01",
};

/** A receipt of 28 points. */
export const TARGET = {
  retailer: "Target",
  purchaseDate: "2022-01-01",
  purchaseTime: "13:01",
  items: [
    { shortDescription: "Mountain Dew 12PK", price: "6.49" },
    { shortDescription: "Emils Cheese Pizza", price: "12.25" },
    { shortDescription: "Knorr Creamy Chicken", price: "1.26" },
    { shortDescription: "Doritos Nacho Cheese", price: "3.35" },
    { shortDescription: "   Klarbrunn 12-PK 12 FL OZ  ", price: "12.00" },
  ],
  total: "35.35",
};

const CORNER_MARKET = {
  retailer: "M&M Corner Market",
  purchaseDate: "2022-03-20",
  purchaseTime: "14:33",
  items: Array.from({ length: 4 }, () => ({ shortDescription: "Gatorade", price: "2.25" })),
  total: "9.00",
};

const WRONG_AMOUNTS = [
  "",
  "1",
  "1.5",
  "1.234",
  ".50",
  "1.",
  "-1.00",
  "+1.00",
  " 1.00",
  "1.00 ",
  "1.00\n",
  "1,00",
  "1e3",
  "0x1.00",
  "1_0.00",
  "NaN",
  "Infinity",
  "１.００",
  "٣.٠٠",
  "99999999999999999999.00",
  1.25,
  100,
  null,
  true,
  ["1.00"],
];

const WRONG_DATES = [
  "2022-02-29",
  "2022-13-01",
  "2022-00-01",
  "2022-01-32",
  "2022-1-1",
  "22-01-01",
  "01/01/2022",
  "2022-01-01T00:00:00Z",
  "2022-01-01\n",
  "",
  "today",
  20220101,
];

const WRONG_TIMES = [
  "24:00",
  "12:60",
  "1:00",
  "1300",
  "13:01:00",
  "13:01Z",
  "1 pm",
  "",
  "13:01\n",
  13,
];

/** The receipts example: what the rules give, to the point and to the cent. */
export const receiptChecks: Check[] = [
  {
    id: "receipts.known",
    sentence: STANDARD.validation,
    async run(target) {
      expectEqual((await score(target, TARGET)).points, 28, "points of the first example");
      expectEqual((await score(target, CORNER_MARKET)).points, 109, "points of the second example");
    },
  },
  {
    id: "receipts.nothing",
    sentence: STANDARD.validation,
    async run(target) {
      expectEqual(await score(target, PLAIN), { points: 0, breakdown: [] }, "no points");
    },
  },
  {
    id: "receipts.breakdown-adds-up",
    sentence: STANDARD.validation,
    async run(target) {
      for (const receipt of [TARGET, CORNER_MARKET, PLAIN]) {
        const { points, breakdown } = await score(target, receipt);
        const sum = breakdown.reduce((total, award) => total + award.points, 0);
        expectEqual(sum, points, "sum of the breakdown");
        expect(
          breakdown.every((award) => Number.isInteger(award.points) && award.points > 0),
          `breakdown: ${show(breakdown)}`,
        );
      }
    },
  },
  {
    id: "receipts.rules",
    sentence: STANDARD.validation,
    async run(target) {
      const path = `${receiptsPath(target)}/rules`;
      const response = await send(target.url, path);
      expectStatus(response, 200);
      const { rules } = response.json() as { rules: { name: string; description: string }[] };
      const names = new Set(rules.map(({ name }) => name));
      for (const { rule } of [
        ...(await score(target, TARGET)).breakdown,
        ...(await score(target, CORNER_MARKET)).breakdown,
      ]) {
        expect(names.has(rule), `the rule ${rule} is not listed`);
      }
      expect(
        rules.every(({ description }) => description !== ""),
        "a rule has no description",
      );
    },
  },
  {
    id: "receipts.time-of-day",
    sentence: STANDARD.validation,
    async run(target) {
      const points = {
        "00:00": 0,
        "13:59": 0,
        "14:00": 10,
        "14:01": 10,
        "15:59": 10,
        "16:00": 0,
        "23:59": 0,
      };
      for (const [purchaseTime, expected] of Object.entries(points)) {
        await expectPoints(target, { purchaseTime }, expected);
      }
    },
  },
  {
    id: "receipts.day",
    sentence: STANDARD.validation,
    async run(target) {
      const points = { "2026-11-01": 6, "2026-11-30": 0, "2026-12-31": 6, "2024-02-29": 6 };
      for (const [purchaseDate, expected] of Object.entries(points)) {
        await expectPoints(target, { purchaseDate }, expected);
      }
    },
  },
  {
    id: "receipts.retailer",
    sentence: STANDARD.validation,
    async run(target) {
      const points = { a: 1, A1: 2, "a b c": 3, "---": 0, "Æ Ø Å": 3, 東京: 2, "👍": 0 };
      for (const [retailer, expected] of Object.entries(points)) {
        await expectPoints(target, { retailer }, expected);
      }
    },
  },
  {
    id: "receipts.totals-are-exact",
    sentence: STANDARD.validation,
    async run(target) {
      // Multiples of a quarter and what lies a cent beside them; a float gets some of these wrong.
      const points = {
        "0.00": 75,
        "0.01": 0,
        "0.10": 0,
        "0.24": 0,
        "0.25": 25,
        "0.26": 0,
        "0.30": 0,
        "1.10": 0,
        "4.35": 0,
        "8.20": 0,
        "33.75": 25,
        "100.00": 75,
        "1000000.10": 0,
        "9007199.25": 25,
        "9999999999.75": 25,
        "9999999999.99": 0,
      };
      for (const [total, expected] of Object.entries(points)) {
        await expectPoints(target, { total }, expected);
      }
    },
  },
  {
    id: "receipts.prices-are-exact",
    sentence: STANDARD.validation,
    async run(target) {
      // A fifth, rounded up. 35 * 0.2 is 7.000000000000001 as a float.
      const points = {
        "0.00": 0,
        "0.01": 1,
        "5.00": 1,
        "5.01": 2,
        "15.00": 3,
        "30.00": 6,
        "35.00": 7,
        "35.01": 8,
        "70.00": 14,
        "9999999999.99": 2_000_000_000,
      };
      for (const [price, expected] of Object.entries(points)) {
        await expectPoints(target, { items: [{ shortDescription: "abc", price }] }, expected);
      }
    },
  },
  {
    id: "receipts.largest-sum",
    sentence: STANDARD.validation,
    async run(target) {
      const item = { shortDescription: "abc", price: "9999999999.99" };
      const items = Array.from({ length: 1_000 }, () => item);
      await expectPoints(target, { items }, 1_000 * 2_000_000_000 + 2_500);
    },
  },
  {
    id: "receipts.descriptions-are-trimmed",
    sentence: STANDARD.validation,
    async run(target) {
      for (const [shortDescription, expected] of [
        ["abc", 1],
        ["  abc\t", 1],
        ["abcd", 0],
        ["abcdef", 1],
        ["äöü", 1],
      ] as const) {
        await expectPoints(target, { items: [{ shortDescription, price: "5.00" }] }, expected);
      }
    },
  },
  {
    id: "receipts.pairs",
    sentence: STANDARD.validation,
    async run(target) {
      for (const [count, expected] of [
        [1, 0],
        [2, 5],
        [3, 5],
        [4, 10],
        [1_000, 2_500],
      ] as const) {
        const items = Array.from({ length: count }, () => PLAIN.items[0]);
        await expectPoints(target, { items }, expected);
      }
    },
  },
  {
    id: "receipts.wrong-amounts",
    sentence: STANDARD.boundary,
    async run(target) {
      for (const amount of WRONG_AMOUNTS) {
        expectRefused(await post(target, { ...PLAIN, total: amount }), "total");
        const items = [{ shortDescription: "ab", price: amount }];
        expectRefused(await post(target, { ...PLAIN, items }), "price");
      }
    },
  },
  {
    id: "receipts.wrong-dates",
    sentence: STANDARD.boundary,
    async run(target) {
      for (const date of WRONG_DATES) {
        expectRefused(await post(target, { ...PLAIN, purchaseDate: date }), "purchaseDate");
      }
    },
  },
  {
    id: "receipts.wrong-times",
    sentence: STANDARD.boundary,
    async run(target) {
      for (const time of WRONG_TIMES) {
        expectRefused(await post(target, { ...PLAIN, purchaseTime: time }), "purchaseTime");
      }
    },
  },
  {
    id: "receipts.limits",
    sentence: STANDARD.boundary,
    async run(target) {
      const [item] = PLAIN.items;
      expectRefused(await post(target, { ...PLAIN, items: [] }), "items");
      const many = Array.from({ length: 1_001 }, () => item);
      expectRefused(await post(target, { ...PLAIN, items: many }), "items");
      expectRefused(await post(target, { ...PLAIN, retailer: "" }), "retailer");
      expectRefused(await post(target, { ...PLAIN, retailer: "   " }), "retailer");
      expectRefused(await post(target, { ...PLAIN, retailer: "a".repeat(100_000) }), "retailer");
    },
  },
  {
    id: "receipts.same-everywhere",
    sentence: STANDARD.validation,
    async run(target) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => post(target, TARGET)));
      expectEqual(new Set(answers.map(({ text }) => text)).size, 1, "number of different answers");
    },
  },
  {
    id: "receipts.queries",
    sentence: STANDARD.boundary,
    async run(target) {
      const rules = `${receiptsPath(target)}/rules`;
      const { text } = await send(target.url, rules);
      for (const query of QUERIES) {
        expectEqual((await send(target.url, `${rules}?${query}`)).text, text, query);
      }
    },
  },
];

/** Where the example is served: `/api/v1/receipts`. */
function receiptsPath(target: Target): string {
  return needed(target.jsonRoute, "jsonRoute").path.replace(/\/points$/, "");
}

function post(target: Target, receipt: unknown): Promise<WireResponse> {
  const path = `${receiptsPath(target)}/points`;
  return send(target.url, { method: "POST", path, json: receipt });
}

async function score(target: Target, receipt: unknown): Promise<Points> {
  const response = await post(target, receipt);
  expectStatus(response, 200);
  return response.json() as Points;
}

async function expectPoints(target: Target, change: object, expected: number): Promise<void> {
  const { points } = await score(target, { ...PLAIN, ...change });
  expectEqual(points, expected, `points with ${show(change)}`);
}

function expectRefused(response: WireResponse, field: string): void {
  expectError(response, 400, "VALIDATION_ERROR");
  const named = (errorOf(response).details ?? []).map((detail) => detail.field);
  expect(
    named.some((name) => name.split(".").includes(field)),
    `${response.request}: ${field} is wrong, and details name ${show(named)}`,
  );
}
