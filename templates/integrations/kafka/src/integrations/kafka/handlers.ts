import { type EventHandler, onEvent } from "../../platform/kafka/delivery.ts";
import type { Subscription } from "../../platform/kafka/kafka.ts";
import type { Settings } from "../../settings.ts";
import { receiptScanned } from "./events.ts";

/** What the service does with the events of its topic. */
export const handlers: EventHandler[] = [
  onEvent(receiptScanned, ({ data }, { log }) => {
    log.debug({ receipt_id: data.receiptId, total_cents: data.totalCents }, "receipt scanned");
  }),
];

/** The topics that the service consumes. Add others here; those without handlers are not read. */
export function subscriptions({ KAFKA_TOPIC }: Settings): Subscription[] {
  return [{ topic: KAFKA_TOPIC, handlers, unknownTypes: "deadLetter" }];
}
