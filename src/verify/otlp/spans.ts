import { decode, type Fields, bytesOf, messages, numberOf, textOf } from "./protobuf.ts";

/** A span as a collector sees it. Ids are hex digits. */
export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: "INTERNAL" | "SERVER" | "CLIENT" | "PRODUCER" | "CONSUMER" | "UNSPECIFIED";
  attributes: Record<string, string | number | boolean>;
  resource: Record<string, string | number | boolean>;
  failed: boolean;
}

const KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"] as const;
const STATUS_ERROR = 2;

/** The spans of an `ExportTraceServiceRequest`. Field numbers as in opentelemetry/proto/trace/v1. */
export function decodeSpans(request: Buffer): Span[] {
  return messages(decode(request), 1).flatMap((resourceSpans) => {
    const [resource = new Map() as Fields] = messages(resourceSpans, 1);
    return messages(resourceSpans, 2)
      .flatMap((scopeSpans) => messages(scopeSpans, 2))
      .map((span) => toSpan(span, attributes(resource, 1)));
  });
}

function toSpan(span: Fields, resource: Span["resource"]): Span {
  const [status = new Map() as Fields] = messages(span, 15);
  return {
    traceId: bytesOf(span, 1).toString("hex"),
    spanId: bytesOf(span, 2).toString("hex"),
    parentSpanId: bytesOf(span, 4).toString("hex"),
    name: textOf(span, 5),
    kind: KINDS[numberOf(span, 6)] ?? "UNSPECIFIED",
    attributes: attributes(span, 9),
    resource,
    failed: numberOf(status, 3) === STATUS_ERROR,
  };
}

function attributes(fields: Fields, number: number): Span["attributes"] {
  return Object.fromEntries(
    messages(fields, number).map((pair) => {
      const [value = new Map() as Fields] = messages(pair, 2);
      return [textOf(pair, 1), toValue(value)];
    }),
  );
}

function toValue(value: Fields): string | number | boolean {
  if (value.has(2)) return numberOf(value, 2) === 1;
  if (value.has(3)) return numberOf(value, 3);
  return value.has(4) ? bytesOf(value, 4).readDoubleLE() : textOf(value, 1);
}
