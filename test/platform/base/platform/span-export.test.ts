import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { trace } from "@opentelemetry/api";
import { Registry } from "@prometheus-io/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runInRequest } from "../../src/platform/context.ts";
import { createLogger } from "../../src/platform/logging.ts";
import { startTelemetry } from "../../src/platform/observability/telemetry.ts";
import { loadSettings } from "../../src/settings.ts";

/** The values of a field that is bytes, in a message of protocol buffers. */
function fieldsOf(bytes: Buffer, field: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const type = tag & 7;
    if (type === 0) varint();
    else {
      const length = type === 1 ? 8 : type === 5 ? 4 : varint();
      const value = bytes.subarray(at, (at += length));
      if (tag >> 3 === field) found.push(value);
    }
  }
  return found;
}

/** `ExportTraceServiceRequest`: the names of its spans. */
const spansOf = (request: Buffer): string[] =>
  fieldsOf(request, 1)
    .flatMap((resourceSpans) => fieldsOf(resourceSpans, 2))
    .flatMap((scopeSpans) => fieldsOf(scopeSpans, 2))
    .map((span) => String(fieldsOf(span, 5)[0]));

/** A collector that answers with these gRPC statuses in turn, then with 0. */
async function startCollector(...statuses: string[]) {
  const requests: Buffer[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const sessions = new Set<{ destroy(): void }>();
  const server = createServer();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream, received) => {
    headers.push(received);
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const body = Buffer.concat(chunks);
      requests.push(body[0] === 1 ? gunzipSync(body.subarray(5)) : body.subarray(5));
      const status = statuses.shift() ?? "0";
      stream.respond(
        { ":status": 200, "content-type": "application/grpc" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    headers,
    spans: () => requests.flatMap(spansOf),
    [Symbol.dispose]() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

function start(endpoint: string) {
  const lines: Record<string, unknown>[] = [];
  const settings = loadSettings({
    SERVICE_NAME: "svc",
    ...(endpoint !== "" && { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }),
  });
  const log = createLogger(settings, { write: (line) => void lines.push(JSON.parse(line)) });
  const metrics = new Registry();
  const telemetry = startTelemetry(settings, log, metrics);
  return {
    lines,
    span: (name: string, attributes = {}) =>
      trace.getTracer("test").startSpan(name, { attributes, root: true }).end(),
    async counts() {
      const { values } = await metrics.getSingleMetric("telemetry_spans_total")!.get();
      return Object.fromEntries(values.map(({ value, labels }) => [String(labels.outcome), value]));
    },
    [Symbol.asyncDispose]: () => telemetry[Symbol.asyncDispose](),
  };
}

const someRequest = {
  requestId: "r-1",
  correlationId: "c-1",
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
};

const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 60_000 });

beforeEach(() => vi.stubEnv("OTEL_BSP_SCHEDULE_DELAY", "10"));
afterEach(() => vi.unstubAllEnvs());

test("spans that end before the exporter is loaded arrive, with what is known of the service", async () => {
  using collector = await startCollector();
  {
    await using telemetry = start(collector.endpoint);
    telemetry.span("GET /things", { text: "ü€😀" });
    telemetry.span("second");
  }
  expect(collector.spans().toSorted()).toEqual(["GET /things", "second"]);
  const sent = Buffer.concat(collector.requests);
  for (const text of ["ü€😀", "service.name", "svc", "service.instance.id", "telemetry.sdk.name"]) {
    expect(sent.includes(text)).toBe(true);
  }
});

test("the variables of OpenTelemetry's SDK count", async () => {
  using collector = await startCollector();
  vi.stubEnv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.endpoint);
  vi.stubEnv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-token=hunter2");
  vi.stubEnv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
  vi.stubEnv("OTEL_SERVICE_NAME", "of-the-team");
  vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "team=payments,service.version=9.9.9");
  vi.stubEnv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10");
  vi.stubEnv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2");
  {
    await using telemetry = start("");
    for (let count = 0; count < 5; count += 1) telemetry.span("span", { text: "0123456789ab" });
  }
  expect(collector.headers[0]).toMatchObject({
    "x-api-token": "hunter2",
    "grpc-encoding": "gzip",
  });
  // Sorted: at the end, batches are sent at the same time.
  const sizes = collector.requests.map((request) => spansOf(request).length);
  expect(sizes.toSorted()).toEqual([1, 2, 2]);
  const sent = Buffer.concat(collector.requests);
  for (const text of ["of-the-team", "payments", "9.9.9"]) expect(sent.includes(text)).toBe(true);
  for (const text of ["svc", "0123456789a"]) expect(sent.includes(text)).toBe(false);
});

test.each([
  ["OTEL_SDK_DISABLED", "true"],
  ["OTEL_TRACES_EXPORTER", "none"],
])("%s=%s: nothing is sent", async (name, value) => {
  using collector = await startCollector();
  vi.stubEnv(name, value);
  {
    await using telemetry = start(collector.endpoint);
    telemetry.span("unsent");
  }
  expect(collector.requests).toEqual([]);
});

test("what the collector had no room for is sent again, what it refuses is not", async () => {
  using collector = await startCollector("14", "0", "3");
  await using telemetry = start(collector.endpoint);
  telemetry.span("first");
  await eventually(() => expect(collector.spans()).toEqual(["first", "first"]));
  telemetry.span("second");
  await eventually(async () =>
    expect(await telemetry.counts()).toEqual({ exported: 1, failed: 1, dropped: 0 }),
  );
  expect(collector.spans()).toEqual(["first", "first", "second"]);
});

test("failing and working again are logged, once each", async () => {
  using collector = await startCollector("16", "16", "16");
  await using telemetry = start(collector.endpoint);
  for (const failed of [1, 2, 3]) {
    runInRequest(someRequest, () => telemetry.span("refused"));
    await eventually(async () => expect(await telemetry.counts()).toMatchObject({ failed }));
  }
  for (const exported of [1, 2]) {
    telemetry.span("taken");
    await eventually(async () => expect(await telemetry.counts()).toMatchObject({ exported }));
  }
  // It has nothing to do with the request that happened to come first.
  expect(telemetry.lines[0]).not.toHaveProperty("request_id");
  expect(telemetry.lines).toMatchObject([
    {
      level: "warn",
      message: "spans cannot be exported",
      collector: collector.endpoint,
      reason: expect.stringContaining("16 UNAUTHENTICATED"),
    },
    { level: "info", message: "spans are exported again" },
  ]);
});

test("spans that nobody has room for are dropped and counted, and that is logged", async () => {
  using collector = await startCollector();
  vi.stubEnv("OTEL_BSP_MAX_QUEUE_SIZE", "1000");
  await using telemetry = start(collector.endpoint);
  for (let count = 0; count < 3_000; count += 1) telemetry.span("many");
  await eventually(async () => {
    const { exported, dropped } = await telemetry.counts();
    expect(exported! + dropped!).toBe(3_000);
  });
  expect((await telemetry.counts()).dropped).toBeGreaterThan(0);
  telemetry.span("one more");
  telemetry.span("and another");
  expect(telemetry.lines).toMatchObject([
    { level: "warn", detail: expect.stringMatching(/^Dropped \d+ spans/) },
  ]);
});

test("neither a huge attribute nor a huge exception is sent as it is", async () => {
  using collector = await startCollector();
  {
    await using telemetry = start(collector.endpoint);
    telemetry.span("large", { text: "x".repeat(2_100_000), list: ["y".repeat(2_100_000)] });
    const span = trace.getTracer("test").startSpan("exception");
    span.recordException(new Error("z".repeat(1_100_000)));
    span.end();
  }
  expect(collector.spans().toSorted()).toEqual(["exception", "large"]);
  expect(Buffer.concat(collector.requests).length).toBeLessThan(30_000);
});

/** Answers for ever: one message after the other, each as long as a client takes. */
async function startEndless() {
  const sessions = new Set<{ destroy(): void }>();
  const server = createServer();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream) => {
    const chunk = Buffer.alloc(65_536);
    const pump = (): void => {
      while (!stream.destroyed && stream.write(chunk));
    };
    stream.on("error", () => {}).on("drain", pump);
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    // Not compressed, 4,194,304 bytes.
    stream.write(Buffer.from([0, 0, 64, 0, 0]));
    pump();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

const HTTP2_SETTINGS = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/** Talks in a way of its own with each connection. */
async function startHostile(talk: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket.on("error", () => {}).resume());
    talk(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function sendByteBySecond(socket: Socket): void {
  const bytes = HTTP2_SETTINGS.values();
  const timer = setInterval(() => {
    socket.write(Buffer.from([bytes.next().value ?? 0]));
  }, 1_000);
  socket.once("close", () => clearInterval(timer));
}

test.each([
  ["says nothing", () => startHostile(() => {}), true],
  ["hangs up", () => startHostile((socket) => void socket.destroy()), false],
  [
    "speaks another language",
    () => startHostile((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
    false,
  ],
  ["sends one byte a second", () => startHostile(sendByteBySecond), true],
  ["never stops answering", startEndless, true],
])("a collector that %s costs spans, and holds up nothing", async (_how, startIt, isLate) => {
  using hostile = await startIt();
  const before = process.memoryUsage().rss;
  const telemetry = start(hostile.endpoint);
  for (let count = 0; count < 2_000; count += 1) telemetry.span("lost");
  await setTimeout(300);
  const startedAt = performance.now();
  await telemetry[Symbol.asyncDispose]();
  const messages = telemetry.lines.map(({ message }) => message);
  expect(messages).toEqual([
    isLate ? "the last spans could not be exported in time" : "spans cannot be exported",
  ]);
  // The limit is two seconds; a busy machine is late.
  expect(performance.now() - startedAt).toBeLessThan(15_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
});

test("a collector without TLS at an https address is logged as failing", async () => {
  using collector = await startCollector();
  await using telemetry = start(collector.endpoint.replace("http:", "https:"));
  telemetry.span("lost");
  await eventually(() =>
    expect(telemetry.lines).toMatchObject([
      { level: "warn", message: "spans cannot be exported", reason: expect.stringMatching(/^14 /) },
    ]),
  );
});
