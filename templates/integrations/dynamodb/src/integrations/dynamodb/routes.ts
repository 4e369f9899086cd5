import { z } from "zod";
import { AppError } from "../../platform/errors.ts";
import type { Stored } from "../../platform/dynamodb/repository.ts";
import { defineRoute, reply, type Route } from "../../platform/route.ts";
import { type Receipt, receiptSchema } from "./receipt.ts";

// Ids are compared as text: the same one may come in capitals.
const params = z.object({ id: z.uuid().toLowerCase() });
const path = "/api/v1/receipts/{id}";
const tags = ["receipts"];

const storedSchema = receiptSchema
  .extend({ id: z.uuid(), version: z.int().min(1) })
  .meta({ id: "StoredReceipt" });
const pageSchema = z
  .object({ receipts: z.array(storedSchema), nextCursor: z.string().optional() })
  .meta({ id: "ReceiptPage" });

const putReceipt = defineRoute({
  method: "PUT",
  path,
  summary: "Keep a receipt",
  description:
    'Makes a new receipt. With `If-Match: "3"`, puts it in the place of version 3 instead; a version that is no longer the latest is a conflict.',
  tags,
  params,
  headers: z.object({
    "if-match": z
      .string()
      .regex(/^"[1-9]\d{0,8}"$/, 'must be a version in quotes, such as "3"')
      .optional(),
  }),
  body: receiptSchema,
  responses: { 200: storedSchema, 201: storedSchema },
  errors: ["NOT_FOUND", "CONFLICT", "EXTERNAL_SERVICE_ERROR", "OVERLOADED"],
  async handler({ params: { id }, headers, body, deps, signal }) {
    const { receipts } = deps.dynamodb;
    const seen = headers["if-match"]?.slice(1, -1);
    return seen === undefined
      ? reply(201, ...answer(await receipts.create(id, body, signal)))
      : reply(200, ...answer(await receipts.replace(id, body, Number(seen), signal)));
  },
});

const getReceipt = defineRoute({
  method: "GET",
  path,
  summary: "Get a receipt",
  tags,
  params,
  responses: { 200: storedSchema },
  errors: ["NOT_FOUND", "EXTERNAL_SERVICE_ERROR", "OVERLOADED"],
  async handler({ params: { id }, deps, signal }) {
    const stored = await deps.dynamodb.receipts.get(id, signal);
    if (stored === undefined) throw noReceipt();
    return reply(200, ...answer(stored));
  },
});

const deleteReceipt = defineRoute({
  method: "DELETE",
  path,
  summary: "Delete a receipt",
  tags,
  params,
  responses: { 204: z.undefined() },
  errors: ["NOT_FOUND", "EXTERNAL_SERVICE_ERROR", "OVERLOADED"],
  async handler({ params: { id }, deps, signal }) {
    if (!(await deps.dynamodb.receipts.remove(id, signal))) throw noReceipt();
    return undefined;
  },
});

const listReceipts = defineRoute({
  method: "GET",
  path: "/api/v1/receipts",
  summary: "List receipts in the order of their ids",
  tags,
  query: z.object({
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: z.string().max(500).optional(),
  }),
  responses: { 200: pageSchema },
  errors: ["EXTERNAL_SERVICE_ERROR", "OVERLOADED"],
  async handler({ query, deps, signal }) {
    const { items, ...next } = await deps.dynamodb.receipts.list(query, signal);
    return { receipts: items.map(toBody), ...next };
  },
});

export const dynamodbRoutes: Route[] = [putReceipt, getReceipt, deleteReceipt, listReceipts];

function answer(stored: Stored<Receipt>) {
  return [toBody(stored), { ETag: `"${stored.version}"` }] as const;
}

function toBody({ id, version, value }: Stored<Receipt>): z.output<typeof storedSchema> {
  return { ...value, id, version };
}

function noReceipt(): AppError {
  return new AppError("NOT_FOUND", "There is no receipt with this id");
}
