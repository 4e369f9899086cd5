import { z } from "zod";
import { defineEvent } from "../../platform/kafka/events.ts";

/** A receipt was read by a phone's camera. */
export const receiptScanned = defineEvent({
  type: "receipt.scanned",
  schema: z
    .object({
      receiptId: z.string().min(1).max(100),
      retailer: z.string().trim().min(1).max(200),
      totalCents: z.int().min(0),
    })
    .meta({ id: "ReceiptScanned" }),
  key: ({ receiptId }) => receiptId,
});
