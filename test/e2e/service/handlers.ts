// Copied into the service under test as src/integrations/kafka/handlers.ts: they tell what they have processed.
// @ts-nocheck -- its imports are the service's
import { existsSync, openSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { onBatch, onEvent } from "../../platform/kafka/delivery.ts";
import { receiptScanned } from "./events.ts";

const { PROCESSED, SLOW_MS = "0", SECOND_TOPIC, BULK_TOPIC } = process.env;
const slowMs = Number(SLOW_MS);
const file = PROCESSED === undefined ? undefined : openSync(PROCESSED, "a");

/** Survives the process, however that ends. */
function tell(line) {
  if (file !== undefined) writeSync(file, `${line}\n`);
}

export const handlers = [
  onEvent(receiptScanned, async ({ data }, { deps }) => {
    const { receiptId, retailer } = data;
    if (slowMs > 0) await delay(slowMs);
    if (retailer === "Broken" && existsSync(`${PROCESSED}.broken`)) throw new Error("out of order");
    if (retailer === "Hanging" && existsSync(`${PROCESSED}.hanging`)) await new Promise(() => {});
    if (retailer === "Forward")
      await deps.kafka.publish(receiptScanned, data, { topic: SECOND_TOPIC });
    if (retailer === "Keeper") {
      await deps.dynamodb.receipts.create(receiptId, {
        retailer,
        purchaseDate: "2022-01-01",
        total: "1.00",
        items: [{ shortDescription: "An item", price: "1.00" }],
      });
    }
    tell(receiptId);
  }),
];

const second = [onEvent(receiptScanned, ({ data }) => tell(`second:${data.receiptId}`))];
const bulk = [
  onBatch(receiptScanned, (events) => tell(`bulk:${events.length}`), { maxWaitMs: 1_000 }),
];

export function subscriptions({ KAFKA_TOPIC }) {
  return [
    { topic: KAFKA_TOPIC, handlers },
    ...(SECOND_TOPIC ? [{ topic: SECOND_TOPIC, handlers: second, unknownTypes: "ignore" }] : []),
    ...(BULK_TOPIC ? [{ topic: BULK_TOPIC, handlers: bulk }] : []),
  ];
}
