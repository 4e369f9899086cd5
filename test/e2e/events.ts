import { randomUUID } from "node:crypto";

import type { Message } from "./kafka-client.ts";
import type { Service } from "./service/run.ts";

const TYPE = "receipt.scanned";

/** An event as it lies in a topic. `id` is what the handler of the tests tells. */
export interface TestEvent {
  id: string;
  message: Message;
}

/** @param retailer "Broken": the handler fails while there is a file to tell it so; "Keeper": it keeps a receipt. */
export function newEvent(retailer = "Target"): TestEvent {
  const id = randomUUID();
  const envelope = { id: randomUUID(), type: TYPE, time: new Date().toISOString() };
  const value = JSON.stringify({ ...envelope, data: dataOf(id, retailer) });
  return { id, message: { key: id, value, headers: {} } };
}

export function newEvents(count: number): TestEvent[] {
  return Array.from({ length: count }, () => newEvent());
}

/** Has the service publish an event. */
export async function postEvent(
  { url }: Service,
  {
    retailer = "Target",
    headers = {},
  }: { retailer?: string; headers?: Record<string, string> } = {},
): Promise<{ id: string; status: number; response: Response }> {
  const id = randomUUID();
  const response = await fetch(`${url}/api/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ type: TYPE, data: dataOf(id, retailer) }),
  });
  // Read to its end, or its connection is not used again.
  await response.arrayBuffer();
  return { id, status: response.status, response };
}

function dataOf(receiptId: string, retailer: string): object {
  return { receiptId, retailer, totalCents: 100 };
}
