import { type EventHandler, onEvent } from "../../platform/kafka/delivery.ts";
import { receiptScanned } from "./events.ts";

/** What the service does with the events of its topic; those of another type become dead letters. */
export const handlers: EventHandler[] = [
  onEvent(receiptScanned, ({ data }, { log }) => {
    log.debug({ receipt_id: data.receiptId, total_cents: data.totalCents }, "receipt scanned");
  }),
];
