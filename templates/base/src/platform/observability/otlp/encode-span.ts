import { type Attributes, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { ProtobufWriter } from "./protobuf.ts";

// The context says whether the parent is in another process, and it is.
const HAS_IS_REMOTE = 0x100;
const IS_REMOTE = 0x200;

/**
 * Writes a span as `field` of the message being written; opentelemetry/proto/trace/v1/trace.proto, `Span`.
 * By hand, at the span's end: objects that wait to be turned into other objects cost more than the span itself.
 */
export function writeSpan(out: ProtobufWriter, field: number, span: ReadableSpan): void {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const parent = span.parentSpanContext;
  const message = out.begin(field);
  out.string(1, traceId, "hex");
  out.string(2, spanId, "hex");
  if (traceState !== undefined) out.string(3, traceState.serialize());
  if (parent !== undefined) out.string(4, parent.spanId, "hex");
  out.string(5, span.name);
  out.varint(6, span.kind + 1);
  out.time(7, span.startTime);
  out.time(8, span.endTime);
  writeAttributes(out, 9, span.attributes);
  if (span.droppedAttributesCount > 0) out.varint(10, span.droppedAttributesCount);
  for (const event of span.events) {
    const start = out.begin(11);
    out.time(1, event.time);
    out.string(2, event.name);
    writeAttributes(out, 3, event.attributes ?? {});
    out.end(start);
  }
  for (const { context, attributes } of span.links) {
    const start = out.begin(13);
    out.string(1, context.traceId, "hex");
    out.string(2, context.spanId, "hex");
    writeAttributes(out, 4, attributes ?? {});
    out.end(start);
  }
  const { code, message: text } = span.status;
  if (code !== SpanStatusCode.UNSET) {
    const start = out.begin(15);
    if (text !== undefined) out.string(2, text);
    out.varint(3, code);
    out.end(start);
  }
  out.fixed32(16, traceFlags | HAS_IS_REMOTE | (parent?.isRemote === true ? IS_REMOTE : 0));
  out.end(message);
}

/** Writes attributes as the repeated `field`; opentelemetry/proto/common/v1/common.proto, `KeyValue`. */
export function writeAttributes(out: ProtobufWriter, field: number, attributes: Attributes): void {
  for (const key in attributes) {
    const value = attributes[key];
    if (value === undefined) continue;
    const start = out.begin(field);
    out.string(1, key);
    writeValue(out, 2, value);
    out.end(start);
  }
}

// `AnyValue` of common.proto. What it has no word for, such as null, is an empty value there.
function writeValue(out: ProtobufWriter, field: number, value: unknown): void {
  const start = out.begin(field);
  if (typeof value === "string") out.string(1, value);
  else if (typeof value === "boolean") out.varint(2, Number(value));
  else if (Number.isSafeInteger(value)) out.varint(3, value as number);
  else if (typeof value === "number") out.double(4, value);
  else if (value instanceof Uint8Array) out.bytes(7, value);
  else if (typeof value === "object" && value !== null) writeCollection(out, value);
  out.end(start);
}

function writeCollection(out: ProtobufWriter, value: object): void {
  const start = out.begin(Array.isArray(value) ? 5 : 6);
  if (Array.isArray(value)) for (const item of value) writeValue(out, 1, item);
  else writeAttributes(out, 1, value as Attributes);
  out.end(start);
}
