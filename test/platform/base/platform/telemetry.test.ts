import { createServer, get, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { SpanKind, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { Registry } from "@prometheus-io/client";
import { expect, test } from "vitest";
import { z } from "zod";
import { inSpan } from "../../src/platform/context.ts";
import { endServerSpan, type Exchange, startServerSpan } from "../../src/platform/http/exchange.ts";
import { createLogger } from "../../src/platform/logging.ts";
import { startTelemetry } from "../../src/platform/observability/telemetry.ts";
import { placeInTrace } from "../../src/platform/observability/tracing.ts";
import { defineRoute } from "../../src/platform/route.ts";
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
  seen: IncomingHttpHeaders[] = [],
) {
  const exporter = new InMemorySpanExporter();
  const settings = loadSettings({ SERVICE_NAME: "svc", OTEL_TRACES_SAMPLER_ARG: ratio });
  const upstream = createServer((req, res) => {
    seen.push(req.headers);
    res.statusCode = req.url === "/broken" ? 503 : 200;
    res.end("ok");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => upstream.once("listening", resolve));
  const log = createLogger(settings, { write() {} });
  const processors = [new SimpleSpanProcessor({ exporter })];
  await using _telemetry = startTelemetry(settings, log, new Registry(), processors);
  await run(`http://127.0.0.1:${(upstream.address() as AddressInfo).port}/`);
  upstream.closeAllConnections();
  upstream.close();
  return exporter.getFinishedSpans();
}

test("one trace from the caller through the route to the upstream", async () => {
  const seen: IncomingHttpHeaders[] = [];
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
  expect(seen.map(({ traceparent }) => traceparent)).toEqual([
    `00-${TRACE}-${client!.spanContext().spanId}-01`,
  ]);
  expect(line).toMatchObject({ trace_id: TRACE, span_id: server!.spanContext().spanId });
});

test("the caller's decision not to sample is kept, and passed on", async () => {
  const seen: IncomingHttpHeaders[] = [];
  const spans = await traced(
    "1",
    async (url) => {
      await using app = await createTestApp({ routes: [callUpstream(url)] });
      await app.inject({ method: "GET", url: "/things/7", headers: unsampled });
    },
    seen,
  );
  expect(spans).toEqual([]);
  expect(seen.map(({ traceparent }) => traceparent)).toEqual([
    expect.stringMatching(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`)),
  ]);
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

/** Makes a call through node:http, as axios and got do. */
const callByHttp = (url: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const call = get(url, (response) => {
      response.resume().once("end", () => resolve(response.statusCode!));
    });
    call.once("error", reject);
  });

const routeOf = (work: () => Promise<unknown>) =>
  defineRoute({
    method: "GET",
    path: "/work",
    summary: "Work",
    responses: { 200: z.object({}) },
    handler: async () => {
      await work();
      return {};
    },
  });

test("calls through node:http have a span and carry the trace and its baggage on", async () => {
  const seen: IncomingHttpHeaders[] = [];
  const spans = await traced(
    "0",
    async (url) => {
      await callByHttp(url);
      const work = async (): Promise<void> => {
        await callByHttp(`${url}path?token=hunter2`);
        await callByHttp(`${url}broken`);
        await expect(callByHttp("http://127.0.0.1:1/")).rejects.toThrow("ECONNREFUSED");
      };
      await using app = await createTestApp({ routes: [routeOf(work)] });
      await app.inject({
        method: "GET",
        url: "/work",
        headers: { ...sampled, tracestate: "vendor=value", baggage: "tenant=blue" },
      });
    },
    seen,
  );
  const [ok, broken, refused, server] = spans;
  expect(spans).toHaveLength(4);
  expect(seen[0]).not.toHaveProperty("traceparent");
  expect(seen[1]).toMatchObject({
    traceparent: `00-${TRACE}-${ok!.spanContext().spanId}-01`,
    tracestate: "vendor=value",
    baggage: "tenant=blue",
  });
  for (const span of [ok, broken, refused]) {
    expect(span!.parentSpanContext).toMatchObject({ spanId: server!.spanContext().spanId });
  }
  expect(ok).toMatchObject({
    name: "GET",
    kind: SpanKind.CLIENT,
    status: { code: 0 },
    attributes: {
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "server.address": "127.0.0.1",
      "server.port": expect.any(Number),
      "url.full": expect.stringMatching(/^http:.*\/path$/),
    },
  });
  expect(broken).toMatchObject({
    status: { code: 2 },
    attributes: { "http.response.status_code": 503, "error.type": "503" },
  });
  expect(refused).toMatchObject({ status: { code: 2 }, events: [{ name: "exception" }] });
});

test("baggage goes on with fetch, also where nothing is sampled", async () => {
  const seen: IncomingHttpHeaders[] = [];
  await traced(
    "0",
    async (url) => {
      await using app = await createTestApp({ routes: [callUpstream(url)] });
      const headers = { ...unsampled, baggage: "tenant=blue" };
      await app.inject({ method: "GET", url: "/things/7", headers });
    },
    seen,
  );
  expect(seen[0]).toMatchObject({ baggage: "tenant=blue" });
});

test("a client with a span of its own gets no second one for the call", async () => {
  const seen: IncomingHttpHeaders[] = [];
  const spans = await traced(
    "1",
    async (url) => {
      await inSpan("DynamoDB.GetItem", { kind: SpanKind.CLIENT }, () => callByHttp(url));
    },
    seen,
  );
  expect(spans.map(({ name }) => name)).toEqual(["DynamoDB.GetItem"]);
});

test("log lines inside a custom span carry that span's id", async () => {
  let lines: Record<string, unknown>[] = [];
  const spans = await traced("1", async () => {
    await using app = await createTestApp({
      routes: [
        defineRoute({
          method: "GET",
          path: "/work",
          summary: "Work",
          responses: { 200: z.object({}) },
          handler: async ({ deps }) => {
            deps.log.info("outside");
            await inSpan("count points", {}, () => deps.log.info("inside"));
            return {};
          },
        }),
      ],
    });
    await app.inject({ method: "GET", url: "/work" });
    const own = ["outside", "inside", "request completed"];
    lines = app.logs.filter(({ message }) => own.includes(String(message)));
  });
  const [custom, server] = spans;
  const { traceId, spanId } = custom!.spanContext();
  expect(custom!.parentSpanContext).toMatchObject({ spanId: server!.spanContext().spanId });
  expect(lines).toMatchObject([
    { message: "outside", trace_id: traceId, span_id: server!.spanContext().spanId },
    { message: "inside", trace_id: traceId, span_id: spanId, request_id: expect.any(String) },
    { message: "request completed", span_id: server!.spanContext().spanId },
  ]);
});

test("a custom span says what its work threw", async () => {
  const spans = await traced("1", async () => {
    await expect(inSpan("fails", {}, () => Promise.reject(new TypeError("no")))).rejects.toThrow(
      "no",
    );
    await expect(
      inSpan("odd", {}, () => Promise.reject(Object.create(null))),
    ).rejects.toBeDefined();
  });
  expect(spans).toMatchObject([
    {
      status: { code: 2 },
      attributes: { "error.type": "TypeError" },
      events: [{ name: "exception", attributes: { "exception.message": "no" } }],
    },
    { status: { code: 2 }, attributes: { "error.type": "Error" } },
  ]);
});

/** Runs a request's span from beginning to end. */
async function serverSpan(given: {
  method?: string;
  headers?: Record<string, string>;
  status?: number;
  error?: unknown;
}) {
  const { method = "GET", headers = {}, status = 200, error } = given;
  const [span] = await traced("1", async () => {
    const request = {
      ...placeInTrace({}, 1),
      requestId: "r-1",
      correlationId: "c-1",
      req: { method, headers, httpVersion: "1.1" } as never,
      startedAt: performance.now(),
      path: "/things/7",
      method: method === "GET" ? method : "_OTHER",
      route: "/things/{id}",
      remoteAddress: "192.0.2.1",
      error,
    } as unknown as Exchange;
    const started = Object.assign(request, { span: startServerSpan(request) });
    endServerSpan(started, status, performance.now());
  });
  return span!;
}

test("a server span follows the conventions for HTTP", async () => {
  const headers = { host: "api.example.com:8443", "user-agent": "tests/1" };
  const span = await serverSpan({ headers });
  expect(span).toMatchObject({ name: "GET /things/{id}", kind: SpanKind.SERVER, events: [] });
  expect(span.attributes).toEqual({
    "http.request.method": "GET",
    "http.response.status_code": 200,
    "http.route": "/things/{id}",
    "url.path": "/things/7",
    "url.scheme": "http",
    "server.address": "api.example.com",
    "server.port": 8_443,
    "client.address": "192.0.2.1",
    "network.protocol.version": "1.1",
    "user_agent.original": "tests/1",
  });
});

test("behind a proxy that ends TLS, the scheme is the caller's", async () => {
  const { attributes } = await serverSpan({
    headers: { host: "api.example.com", "x-forwarded-proto": "https" },
  });
  expect(attributes).toMatchObject({ "url.scheme": "https", "server.port": 443 });
});

test.each(["::", "a b", "[", "", "%%"])("a host of %j does no harm", async (host) => {
  const { attributes } = await serverSpan({ headers: { host } });
  expect(attributes).toMatchObject({ "http.response.status_code": 200 });
});

test("a method that is not in use keeps its name beside _OTHER", async () => {
  expect(await serverSpan({ method: "PROPFIND" })).toMatchObject({
    name: "HTTP /things/{id}",
    attributes: {
      "http.request.method": "_OTHER",
      "http.request.method_original": "PROPFIND",
    },
  });
});

test("the span of a 500 has what was thrown", async () => {
  expect(await serverSpan({ status: 500, error: new RangeError("too far") })).toMatchObject({
    status: { code: 2 },
    attributes: { "error.type": "RangeError", "http.response.status_code": 500 },
    events: [
      {
        name: "exception",
        attributes: {
          "exception.type": "RangeError",
          "exception.message": "too far",
          "exception.stacktrace": expect.stringContaining("telemetry.test.ts"),
        },
      },
    ],
  });
  expect(await serverSpan({ status: 503 })).toMatchObject({
    status: { code: 2 },
    attributes: { "error.type": "503" },
    events: [],
  });
  expect((await serverSpan({ status: 404 })).status).toEqual({ code: 0 });
});

test("without telemetry, work in a span is just done", async () => {
  expect(await inSpan("untraced", {}, () => 7)).toBe(7);
  expect(trace.getActiveSpan()).toBeUndefined();
});
