// Copied into the service under test as src/integrations/kafka/handlers.ts: they tell what they have processed.
// @ts-nocheck -- its imports are the service's
import { existsSync, openSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { onEvent } from "../../platform/kafka/delivery.ts";
import { receiptScanned } from "./events.ts";

const processed = process.env.PROCESSED;
const slowMs = Number(process.env.SLOW_MS ?? 0);
const file = processed === undefined ? undefined : openSync(processed, "a");

export const handlers = [
  onEvent(receiptScanned, async ({ data: { receiptId, retailer } }, { deps }) => {
    if (slowMs > 0) await delay(slowMs);
    if (retailer === "Broken" && existsSync(`${processed}.broken`)) throw new Error("out of order");
    if (retailer === "Keeper") {
      await deps.dynamodb.receipts.create(receiptId, {
        retailer,
        purchaseDate: "2022-01-01",
        total: "1.00",
        items: [{ shortDescription: "An item", price: "1.00" }],
      });
    }
    // Survives the process, however that ends.
    if (file !== undefined) writeSync(file, `${receiptId}\n`);
  }),
];
