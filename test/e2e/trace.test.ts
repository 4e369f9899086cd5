import { randomBytes } from "node:crypto";

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { type Collector, startCollector } from "../stack/collector.ts";
import { postEvent } from "./events.ts";
import { startService } from "./service/run.ts";
import { startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

let surroundings: Surroundings;
let collector: Collector;
beforeAll(async () => {
  surroundings = await startSurroundings();
  collector = await startCollector();
});
afterAll(async () => {
  await collector?.[Symbol.asyncDispose]();
  await surroundings?.[Symbol.asyncDispose]();
});

describe.each(Object.entries(inject("services")))("%s: one trace", (name, directory) => {
  it("goes from the request through Kafka to the handler and DynamoDB", async () => {
    await using group = await surroundings.newGroup();
    await using service = await startService(directory, {
      ...group.environment,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_TRACES_SAMPLER_ARG: "1",
    });
    await service.untilReady();
    const traceId = randomBytes(16).toString("hex");
    const spanId = randomBytes(8).toString("hex");
    const headers = { traceparent: `00-${traceId}-${spanId}-01` };
    const { id, status } = await postEvent(service, { retailer: "Keeper", headers });
    expect(status).toBe(202);
    await until("the event processed", async () => (await group.processed.ids()).includes(id));

    const [server, producer, consumer, client] = await until("all spans", async () => {
      const spans = (await collector.spans()).filter((span) => span.traceId === traceId);
      const found = ["server", "producer", "consumer", "client"].map((kind) =>
        spans.find((span) => span.kind === kind),
      );
      return found.every((span) => span !== undefined) && found;
    });
    expect(server).toMatchObject({ parentSpanId: spanId, service: expect.stringContaining(name) });
    expect(server?.name).toContain("/api/v1/events");
    expect(producer).toMatchObject({
      parentSpanId: server?.spanId,
      attributes: { "messaging.system": "kafka", "messaging.destination.name": group.topic },
    });
    expect(consumer).toMatchObject({
      parentSpanId: producer?.spanId,
      attributes: { "messaging.consumer.group.name": group.name },
    });
    expect(client).toMatchObject({
      parentSpanId: consumer?.spanId,
      attributes: { "db.operation.name": "PutItem" },
    });
    // What is logged on the way belongs to it, too.
    const lines = (await service.lines()).filter((line) => line["trace_id"] === traceId);
    expect(lines.length).toBeGreaterThan(0);
  });
});
