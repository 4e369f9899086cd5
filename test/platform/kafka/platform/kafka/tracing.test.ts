import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { Registry } from "@prometheus-io/client";
import { expect, test } from "vitest";
import { createLogger } from "../../../src/platform/logging.ts";
import { startTelemetry } from "../../../src/platform/observability/telemetry.ts";
import { loadSettings } from "../../../src/settings.ts";
import { eventually } from "./eventually.ts";
import { counted, raw, startConsumer } from "./running-consumer.ts";

async function traced(ratio: string, run: () => Promise<void>) {
  const exporter = new InMemorySpanExporter();
  const settings = loadSettings({ OTEL_TRACES_SAMPLER_ARG: ratio });
  const log = createLogger(settings, { write() {} });
  const processors = [new SimpleSpanProcessor({ exporter })];
  await using _telemetry = startTelemetry(settings, log, new Registry(), processors);
  await run();
  return exporter.getFinishedSpans();
}

test("one trace goes from the publisher to the handler", async () => {
  const spans = await traced("1", async () => {
    await using consumer = await startConsumer({
      handle: (_event, { log }) => log.info("in the handler"),
    });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    await eventually(() => expect(consumer.broker.committed.size).toBe(1));
    const line = consumer.logs.find(({ message }) => message === "in the handler");
    expect(line).toMatchObject({ trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) });
  });
  const [send, process] = spans;
  expect(send).toMatchObject({
    name: "send events",
    kind: 3,
    attributes: {
      "messaging.system": "kafka",
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.destination.name": "events",
    },
  });
  expect(process).toMatchObject({
    name: "process events",
    kind: 4,
    parentSpanContext: { spanId: send!.spanContext().spanId },
    attributes: {
      "messaging.consumer.group.name": "group",
      "messaging.destination.partition.id": "1",
      "messaging.kafka.offset": 0,
    },
  });
  expect(process!.spanContext().traceId).toBe(send!.spanContext().traceId);
});

test("the publisher's decision not to sample is kept", async () => {
  const spans = await traced("1", async () => {
    await using consumer = await startConsumer();
    const record = raw("{}");
    const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    record.headers.push(["traceparent", trace]);
    consumer.broker.append(record);
    await eventually(() => expect(consumer.broker.committed.size).toBe(1));
    expect(consumer.logs.find(({ level }) => level === "error")).toMatchObject({
      trace_id: trace.slice(3, 35),
    });
  });
  expect(spans.map(({ name }) => name)).not.toContain("process events");
});

test("a failure is on the handler's span", async () => {
  const spans = await traced("1", async () => {
    await using consumer = await startConsumer({ handle: () => Promise.reject(new Error("no")) });
    await consumer.kafka.publish(counted, { key: "a", count: 1 });
    await eventually(() => expect(consumer.broker.committed.size).toBe(1));
  });
  expect(spans.find(({ name }) => name === "process events")).toMatchObject({
    status: { code: 2, message: "no" },
    events: [{ name: "exception" }],
  });
});
