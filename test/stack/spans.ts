import { readFile } from "node:fs/promises";

/** A span as the collector has it. */
export interface Span {
  service: string;
  name: string;
  kind: (typeof KINDS)[number];
  traceId: string;
  spanId: string;
  parentSpanId: string;
  attributes: Record<string, unknown>;
}

interface Attribute {
  key: string;
  value?: Record<string, unknown>;
}

interface RawSpan {
  name: string;
  kind?: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes?: Attribute[];
}

interface ScopeSpans {
  spans?: RawSpan[];
}

interface Export {
  resourceSpans?: { resource?: { attributes?: Attribute[] }; scopeSpans?: ScopeSpans[] }[];
}

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;

/** The spans of a file with one export request a line, in OTLP's JSON. */
export async function readSpans(path: string): Promise<Span[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  // What stands behind the last line end is still being written.
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.filter(Boolean).flatMap((line) => spansOf(JSON.parse(line) as Export));
}

function spansOf({ resourceSpans = [] }: Export): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) => {
    const service = String(attributesOf(resource?.attributes)["service.name"]);
    return scopeSpans.flatMap(({ spans = [] }) =>
      spans.map(({ name, kind = 0, traceId, spanId, parentSpanId = "", attributes }) => ({
        ...{ service, name, traceId, spanId, parentSpanId },
        kind: KINDS[kind] ?? "unspecified",
        attributes: attributesOf(attributes),
      })),
    );
  });
}

function attributesOf(attributes: Attribute[] = []): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value = {} }) => [key, Object.values(value)[0]] as const),
  );
}
