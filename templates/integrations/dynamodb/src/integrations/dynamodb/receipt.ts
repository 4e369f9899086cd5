import { z } from "zod";
import type { Entity } from "../../platform/dynamodb/repository.ts";

const amount = z
  .string()
  .regex(/^\d{1,10}\.\d{2}$/, "must be an amount with two decimals, such as 12.25")
  .meta({ examples: ["12.25"] });

/** A receipt as a caller hands it in, and as the table keeps it. */
export const receiptSchema = z
  .object({
    retailer: z.string().trim().min(1).max(200),
    purchaseDate: z.iso.date(),
    total: amount,
    items: z
      .array(z.object({ shortDescription: z.string().trim().min(1).max(500), price: amount }))
      .min(1)
      .max(200),
  })
  .meta({ id: "KeptReceipt" });

export type Receipt = z.output<typeof receiptSchema>;

export const receiptEntity: Entity<typeof receiptSchema> = {
  name: "receipt",
  schema: receiptSchema,
};
