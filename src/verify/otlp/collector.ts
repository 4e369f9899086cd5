import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

import { eventually } from "../eventually.ts";
import { decodeSpans, type Span } from "./spans.ts";

/** A collector for OTLP over gRPC, of traces only. */
export interface Collector {
  /** What OTEL_EXPORTER_OTLP_ENDPOINT is to be. */
  endpoint: string;
  /** The spans that have arrived so far. */
  readonly spans: Span[];
  /** Everything that was exported, for searching. */
  raw(): Buffer;
  /** Waits for a span that `matches`. */
  wait(what: string, matches: (span: Span) => boolean): Promise<Span>;
}

const EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const OK_REPLY = Buffer.alloc(5);

/** Runs a collector on a loopback port for `use`. */
export async function withCollector<Result>(
  use: (collector: Collector) => Promise<Result>,
): Promise<Result> {
  const received: Buffer[] = [];
  const spans: Span[] = [];
  let decoded = 0;
  // Only when somebody looks: what is measured beside it shall not wait for that.
  function decodedSpans(): Span[] {
    for (; decoded < received.length; decoded += 1) {
      spans.push(...decodeSpans(received[decoded]!));
    }
    return spans;
  }
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    if (headers[":path"] !== EXPORT) {
      stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "12" });
      stream.end();
      return;
    }
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      received.push(unframe(Buffer.concat(chunks)));
      accept(stream);
    });
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await use({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      get spans() {
        return decodedSpans();
      },
      raw: () => Buffer.concat(received),
      wait: (what, matches) => eventually(what, () => decodedSpans().find(matches)),
    });
  } finally {
    for (const session of sessions) session.destroy();
    server.close();
  }
}

/** The one message of a gRPC body: a flag for compression, four bytes of length, the message. */
function unframe(body: Buffer): Buffer {
  const message = body.subarray(5);
  return body[0] === 1 ? gunzipSync(message) : message;
}

function accept(stream: ServerHttp2Stream): void {
  if (stream.destroyed) return;
  stream.respond(
    { ":status": 200, "content-type": "application/grpc+proto" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(OK_REPLY);
}
