import { type Attributes, TraceFlags } from "@opentelemetry/api";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import { writeAttributes, writeSpan } from "./encode-span.ts";
import { createGrpcClient, type GrpcError } from "./grpc-client.ts";
import { ProtobufWriter } from "./protobuf.ts";

const EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const CALL_TIMEOUT_MS = 10_000;
const INTERVAL_MS = 5_000;
const BATCH_BYTES = 256 * 1_024;
/** What waits for a collector that does not answer: no more than 4 MiB. */
const MAX_BATCHES = 16;

// CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS: opentelemetry.io/docs/specs/otlp, failures.
const RETRYABLE = new Set([1, 4, 10, 11, 14, 15]);

/**
 * Sends finished spans to a collector, as OTLP over gRPC: every five seconds, or when a quarter of a MiB has come together.
 * A batch that did not arrive is kept for the next try, the newest sixteen of them.
 * @param resource what all spans of this process have in common.
 */
export function createSpanExporter(endpoint: string, resource: Attributes): SpanProcessor {
  const client = createGrpcClient(endpoint, CALL_TIMEOUT_MS);
  const head = encodeResource(resource);
  const scopes = new Map<string, ProtobufWriter>();
  let waitingBytes = 0;
  let batches: Buffer[] = [];
  let sending: Promise<void> | undefined;
  const timer = setInterval(() => void flush(), INTERVAL_MS).unref();

  function collect({ instrumentationScope: { name, version } }: ReadableSpan): ProtobufWriter {
    const key = `${name}@${version}`;
    let out = scopes.get(key);
    if (out === undefined) scopes.set(key, (out = new ProtobufWriter()));
    if (out.length === 0) {
      const scope = out.begin(1);
      out.string(1, name);
      if (version !== undefined) out.string(2, version);
      out.end(scope);
    }
    return out;
  }

  function seal(): void {
    if (waitingBytes === 0) return;
    waitingBytes = 0;
    batches.push(
      encodeRequest(
        head,
        [...scopes.values()].filter(({ length }) => length > 0),
      ),
    );
    batches = batches.slice(-MAX_BATCHES);
  }

  async function send(): Promise<void> {
    for (let batch = batches[0]; batch !== undefined; batch = batches[0]) {
      try {
        await client.call(EXPORT, batch);
      } catch (error) {
        if (RETRYABLE.has((error as GrpcError).code)) return;
      }
      batches = batches.filter((other) => other !== batch);
    }
  }

  function flush(): Promise<void> {
    seal();
    sending ??= send().finally(() => (sending = undefined));
    return sending;
  }

  return {
    onStart() {},
    onEnd(span) {
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
      const out = collect(span);
      const before = out.length;
      writeSpan(out, 2, span);
      waitingBytes += out.length - before;
      if (waitingBytes >= BATCH_BYTES) void flush();
    },
    async forceFlush() {
      await sending;
      await flush();
    },
    async shutdown() {
      clearInterval(timer);
      await sending;
      await flush();
      client.close();
    },
  };
}

/** `Resource` of opentelemetry/proto/resource/v1/resource.proto. */
function encodeResource(resource: Attributes): Buffer {
  const out = new ProtobufWriter();
  writeAttributes(out, 1, resource);
  return out.take();
}

/** `ExportTraceServiceRequest` with one `ResourceSpans`; empties the writers of its `ScopeSpans`. */
function encodeRequest(resource: Buffer, scopes: ProtobufWriter[]): Buffer {
  const out = new ProtobufWriter();
  const start = out.begin(1);
  out.bytes(1, resource);
  for (const scope of scopes) out.bytes(2, scope.take());
  out.end(start);
  return out.take();
}
