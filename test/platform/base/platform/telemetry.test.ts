import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { expect, test } from "vitest";
import { z } from "zod";
import { defineRoute } from "../../src/platform/route.ts";
import { startTelemetry } from "../../src/platform/observability/telemetry.ts";
import { loadSettings } from "../../src/settings.ts";
import { createTestApp } from "../support.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const sampled = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
const unsampled = { traceparent: `00-${TRACE}-00f067aa0ba902b7-00` };

const callUpstream = (url: string) =>
  defineRoute({
    method: "GET",
    path: "/things/{id}",
    summary: "Get a thing from upstream",
    params: z.object({ id: z.string() }),
    responses: { 200: z.object({ status: z.number() }) },
    handler: async ({ deps }) => ({ status: (await deps.http.fetch(url)).status }),
  });

async function traced(
  ratio: string,
  run: (upstream: string) => Promise<void>,
  seen: unknown[] = [],
) {
  const exporter = new InMemorySpanExporter();
  const settings = loadSettings({ SERVICE_NAME: "svc", OTEL_TRACES_SAMPLER_ARG: ratio });
  const upstream = createServer((req, res) => {
    seen.push(req.headers.traceparent);
    res.end("ok");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => upstream.once("listening", resolve));
  await using _telemetry = startTelemetry(settings, [new SimpleSpanProcessor({ exporter })]);
  await run(`http://127.0.0.1:${(upstream.address() as AddressInfo).port}/`);
  upstream.closeAllConnections();
  upstream.close();
  return exporter.getFinishedSpans();
}

test("one trace from the caller through the route to the upstream", async () => {
  const seen: string[] = [];
  let line: Record<string, unknown> | undefined;
  const spans = await traced(
    "0",
    async (url) => {
      await using app = await createTestApp({ routes: [callUpstream(url)] });
      const response = await app.inject({ method: "GET", url: "/things/7?q=1", headers: sampled });
      expect(response.json()).toEqual({ status: 200 });
      line = app.logs.at(-1);
    },
    seen,
  );
  const [client, server] = spans;
  expect(server).toMatchObject({
    name: "GET /things/{id}",
    attributes: {
      "http.request.method": "GET",
      "http.route": "/things/{id}",
      "http.response.status_code": 200,
      "url.path": "/things/7",
    },
    parentSpanContext: { traceId: TRACE, spanId: "00f067aa0ba902b7" },
  });
  expect(client!.parentSpanContext).toMatchObject({ spanId: server!.spanContext().spanId });
  expect(seen).toEqual([`00-${TRACE}-${client!.spanContext().spanId}-01`]);
  expect(line).toMatchObject({ trace_id: TRACE, span_id: server!.spanContext().spanId });
});

test("the caller's decision not to sample is kept, and passed on", async () => {
  const seen: string[] = [];
  const spans = await traced(
    "1",
    async (url) => {
      await using app = await createTestApp({ routes: [callUpstream(url)] });
      await app.inject({ method: "GET", url: "/things/7", headers: unsampled });
    },
    seen,
  );
  expect(spans).toEqual([]);
  expect(seen).toEqual([expect.stringMatching(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))]);
});

test("a request that is not sampled still has ids in its log lines", async () => {
  const spans = await traced("0", async (url) => {
    await using app = await createTestApp({
      env: { OTEL_TRACES_SAMPLER_ARG: "0" },
      routes: [callUpstream(url)],
    });
    await app.inject({ method: "GET", url: "/things/7" });
    expect(app.logs.at(-1)).toMatchObject({
      trace_id: expect.stringMatching(/^(?!0{32})[0-9a-f]{32}$/),
      span_id: expect.stringMatching(/^(?!0{16})[0-9a-f]{16}$/),
    });
  });
  expect(spans).toEqual([]);
});

test("probes are never traced, what begins like them is", async () => {
  const spans = await traced("1", async () => {
    await using app = await createTestApp();
    for (const url of ["/health", "/health/ready", "/healthplans"]) {
      await app.inject({ method: "GET", url, headers: sampled });
    }
  });
  expect(spans.map(({ attributes }) => attributes["url.path"])).toEqual(["/healthplans"]);
});

test("a server error marks the span", async () => {
  const spans = await traced("1", async () => {
    const route = defineRoute({
      method: "GET",
      path: "/fails",
      summary: "Fail",
      responses: { 200: z.object({}) },
      handler: () => Promise.reject(new Error("broken")),
    });
    await using app = await createTestApp({ routes: [route] });
    await app.inject({ method: "GET", url: "/fails" });
  });
  expect(spans[0]).toMatchObject({
    status: { code: 2 },
    attributes: { "http.response.status_code": 500 },
  });
});

test("an unreachable collector neither breaks the start nor holds up the stop", async () => {
  const settings = loadSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
  const telemetry = startTelemetry(settings);
  await using app = await createTestApp();
  const response = await app.inject({ method: "GET", url: "/api/v1/receipts/rules" });
  expect(response.statusCode).toBe(200);
  await telemetry[Symbol.asyncDispose]();
});
