import { z } from "zod";
import { defineRoute } from "../platform/route.ts";
import { rules, scoreReceipt as score, toCents } from "../services/receipt-points.ts";

const amount = z
  .string()
  .regex(/^\d{1,10}\.\d{2}$/, "must be an amount with two decimals, such as 12.25")
  .meta({ examples: ["12.25"] });

const receiptSchema = z
  .object({
    retailer: z.string().trim().min(1).max(200),
    purchaseDate: z.iso.date(),
    purchaseTime: z.iso.time({ precision: -1 }).meta({ examples: ["14:33"] }),
    items: z
      .array(z.object({ shortDescription: z.string().trim().min(1).max(500), price: amount }))
      .min(1)
      .max(1_000),
    total: amount,
  })
  .meta({ id: "Receipt" });

const pointsSchema = z
  .object({
    points: z.int().min(0),
    breakdown: z.array(z.object({ rule: z.string(), points: z.int().min(1) })),
  })
  .meta({ id: "ReceiptPoints" });

const rulesSchema = z
  .object({ rules: z.array(z.object({ name: z.string(), description: z.string() })) })
  .meta({ id: "PointRules" });

export const scoreReceipt = defineRoute({
  method: "POST",
  path: "/api/v1/receipts/points",
  summary: "Count the points of a receipt",
  tags: ["receipts"],
  body: receiptSchema,
  responses: { 200: pointsSchema },
  handler: ({ body }) =>
    score({
      retailer: body.retailer,
      purchaseDate: body.purchaseDate,
      purchaseTime: body.purchaseTime,
      totalCents: toCents(body.total),
      items: body.items.map(({ shortDescription, price }) => ({
        shortDescription,
        priceCents: toCents(price),
      })),
    }),
});

export const listRules = defineRoute({
  method: "GET",
  path: "/api/v1/receipts/rules",
  summary: "List the rules by which receipts earn points",
  tags: ["receipts"],
  responses: { 200: rulesSchema },
  handler: () => ({ rules: rules.map(({ name, description }) => ({ name, description })) }),
});
