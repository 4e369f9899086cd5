import { describe, expect, test } from "vitest";
import { textHeaders } from "../../../src/platform/kafka/record-context.ts";
import { MemoryBroker } from "../../../src/platform/kafka/memory-broker.ts";
import { createTestApp, errorOf } from "../../support.ts";
import { createFake } from "./fake.ts";

const event = {
  type: "receipt.scanned",
  data: { receiptId: "r-1", retailer: "Target", totalCents: 649 },
};

describe("POST /api/v1/events", () => {
  const post = { method: "POST", url: "/api/v1/events" } as const;

  test("stores the event and answers with its id", async () => {
    const broker = new MemoryBroker();
    await using app = await createTestApp({ deps: { kafka: createFake(broker) } });
    const headers = { "x-request-id": "request-1" };
    const response = await app.inject({ ...post, headers, payload: event });
    expect(response.statusCode).toBe(202);
    const [record] = broker.records;
    expect(JSON.parse(record!.value!.toString())).toMatchObject({
      ...event,
      id: response.json<{ id: string }>().id,
    });
    expect(record!.key!.toString()).toBe("r-1");
    expect(textHeaders(record!)["x-request-id"]).toBe("request-1");
  });

  test.each([
    ["another type", { ...event, type: "receipt.lost" }, "body.type"],
    [
      "data that break the schema",
      { ...event, data: { ...event.data, totalCents: -1 } },
      "body.data.totalCents",
    ],
  ])("refuses %s", async (_name, payload, field) => {
    await using app = await createTestApp();
    const response = await app.inject({ ...post, payload });
    expect(response.statusCode).toBe(400);
    expect(errorOf(response).details?.map((detail) => detail.field)).toEqual([field]);
  });

  test("is a 502 when the broker refuses", async () => {
    const broker = new MemoryBroker();
    broker.down.add("*");
    await using app = await createTestApp({ deps: { kafka: createFake(broker) } });
    const response = await app.inject({ ...post, payload: event });
    expect(response.statusCode).toBe(502);
    expect(errorOf(response)).toMatchObject({
      code: "EXTERNAL_SERVICE_ERROR",
      message: "The event could not be stored",
    });
  });
});
