import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { TracerProvider } from "@opentelemetry/sdk-trace";
import { expect, test } from "vitest";
import { createGrpcClient } from "../../src/platform/observability/otlp/grpc-client.ts";
import { createSpanExporter } from "../../src/platform/observability/otlp/span-exporter.ts";

type Message = [field: number, value: bigint | Buffer][];

/** Reads one message of protocol buffers, without a schema. */
function decode(bytes: Buffer): Message {
  const message: Message = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Buffer => bytes.subarray(at, (at += length));
  while (at < bytes.length) {
    const tag = Number(varint());
    const type = tag & 7;
    const value = type === 0 ? varint() : take(type === 1 ? 8 : type === 5 ? 4 : Number(varint()));
    message.push([tag >> 3, value]);
  }
  return message;
}

const all = (message: Message, field: number): Buffer[] =>
  message.filter(([name]) => name === field).map(([, value]) => value as Buffer);
const one = (message: Message, field: number): Buffer => all(message, field)[0]!;
const text = (message: Message, field: number): string => one(message, field).toString("utf8");
const attributes = (message: Message, field: number): Record<string, Message> =>
  Object.fromEntries(
    all(message, field).map((bytes) => {
      const pair = decode(bytes);
      return [text(pair, 1), decode(one(pair, 2))];
    }),
  );

/** A collector that answers with these gRPC statuses in turn (to "silence" not at all), then with 0. */
async function startCollector(...statuses: string[]) {
  const requests: Buffer[] = [];
  const server = createServer();
  let connections = 0;
  server.on("session", () => (connections += 1));
  server.on("stream", (stream: ServerHttp2Stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      requests.push(Buffer.concat(chunks).subarray(5));
      const status = statuses.shift() ?? "0";
      if (status === "silence") return;
      stream.respond(
        { ":status": 200, "content-type": "application/grpc" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    requests,
    connections: () => connections,
    [Symbol.dispose]: () => void server.close(),
  };
}

function createTracer(endpoint: string) {
  const processor = createSpanExporter(endpoint, { "service.name": "svc" });
  const provider = new TracerProvider({ spanProcessors: [processor] });
  return { processor, tracer: provider.getTracer("scope", "1.2.3") };
}

const spansOf = (request: Buffer): Message[] => {
  const resourceSpans = decode(one(decode(request), 1));
  return all(resourceSpans, 2).flatMap((scope) => all(decode(scope), 2).map(decode));
};

test("a span arrives with all that is known of it", async () => {
  using collector = await startCollector();
  const { processor, tracer } = createTracer(collector.endpoint);
  const parent = tracer.startSpan("parent");
  const span = tracer.startSpan(
    "GET /thïngs",
    {
      kind: SpanKind.CLIENT,
      startTime: [1_700_000_000, 123_456_789],
      links: [{ context: parent.spanContext(), attributes: { why: "test" } }],
      attributes: {
        text: "ü€😀",
        whole: -7,
        large: 2 ** 40,
        part: 0.5,
        flag: true,
        list: ["a", "b"],
      },
    },
    trace.setSpan(ROOT_CONTEXT, parent),
  );
  span
    .addEvent("retry", { attempt: 2 })
    .setStatus({ code: SpanStatusCode.ERROR, message: "broken" });
  span.end([1_700_000_001, 5]);
  await processor.shutdown();

  const resourceSpans = decode(one(decode(collector.requests[0]!), 1));
  const resource = attributes(decode(one(resourceSpans, 1)), 1);
  expect(text(resource["service.name"]!, 1)).toBe("svc");
  const scope = decode(one(decode(one(resourceSpans, 2)), 1));
  expect([text(scope, 1), text(scope, 2)]).toEqual(["scope", "1.2.3"]);

  const [message] = spansOf(collector.requests[0]!);
  const { traceId, spanId } = span.spanContext();
  expect(one(message!, 1).toString("hex")).toBe(traceId);
  expect(one(message!, 2).toString("hex")).toBe(spanId);
  expect(one(message!, 4).toString("hex")).toBe(parent.spanContext().spanId);
  expect(text(message!, 5)).toBe("GET /thïngs");
  expect(Object.fromEntries(message!)[6]).toBe(3n);
  expect(one(message!, 7).readBigUInt64LE()).toBe(1_700_000_000_123_456_789n);
  expect(one(message!, 8).readBigUInt64LE()).toBe(1_700_000_001_000_000_005n);
  const values = attributes(message!, 9);
  expect(text(values.text!, 1)).toBe("ü€😀");
  expect(BigInt.asIntN(64, values.whole![0]![1] as bigint)).toBe(-7n);
  expect(values.large![0]).toEqual([3, 2n ** 40n]);
  expect((values.part![0]![1] as Buffer).readDoubleLE()).toBe(0.5);
  expect(values.flag![0]).toEqual([2, 1n]);
  expect(all(decode(one(values.list!, 5)), 1).map((item) => text(decode(item), 1))).toEqual([
    "a",
    "b",
  ]);
  expect(text(decode(one(message!, 11)), 2)).toBe("retry");
  expect(one(decode(one(message!, 13)), 2).toString("hex")).toBe(parent.spanContext().spanId);
  const status = decode(one(message!, 15));
  expect([text(status, 2), Object.fromEntries(status)[3]]).toEqual(["broken", 2n]);
});

test("what the collector had no room for is sent again, what it cannot read is not", async () => {
  using collector = await startCollector("14", "0", "3");
  const { processor, tracer } = createTracer(collector.endpoint);
  tracer.startSpan("first").end();
  await processor.forceFlush();
  tracer.startSpan("second").end();
  await processor.forceFlush();
  await processor.shutdown();
  const names = collector.requests.map((request) => spansOf(request).map((span) => text(span, 5)));
  expect(names).toEqual([["first"], ["first"], ["second"]]);
});

test("after a call without an answer, the next one has a connection of its own", async () => {
  using collector = await startCollector("0", "silence");
  const client = createGrpcClient(collector.endpoint, 100);
  await client.call("/service/Method", Buffer.from("one"));
  await expect(client.call("/service/Method", Buffer.from("two"))).rejects.toMatchObject({
    code: 14,
    message: "no answer in 100 ms",
  });
  expect(collector.connections()).toBe(1);
  await client.call("/service/Method", Buffer.from("three"));
  expect(collector.connections()).toBe(2);
  client.close();
});

test("many spans go out by themselves, in several requests", async () => {
  using collector = await startCollector();
  const { processor, tracer } = createTracer(collector.endpoint);
  for (let count = 0; count < 3_000; count += 1) {
    tracer.startSpan("many", { attributes: { filler: "x".repeat(200) } }).end();
  }
  await processor.shutdown();
  expect(collector.requests.length).toBeGreaterThan(1);
  expect(collector.requests.flatMap(spansOf)).toHaveLength(3_000);
});

test("a collector that is away costs the oldest spans, and nothing else", async () => {
  const { processor, tracer } = createTracer("http://127.0.0.1:1");
  for (let count = 0; count < 30_000; count += 1) {
    tracer.startSpan("lost", { attributes: { filler: "x".repeat(200) } }).end();
  }
  await expect(processor.shutdown()).resolves.toBeUndefined();
});
