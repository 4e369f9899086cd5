import {
  type Attributes,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { currentRequest, type RequestContext } from "../context.ts";
import { requestIds } from "../http/node-http.ts";
import { placeInTrace, startSpanAt, type TracePosition } from "../observability/tracing.ts";
import type { KafkaRecord, OutgoingRecord } from "./port.ts";

/** The context in which a record is processed: the same that a request has. */
export type RecordContext = RequestContext & TracePosition & { span: Span | undefined };

/** Asked for each time, because telemetry may be restarted. */
const tracer = (): Tracer => trace.getTracer("kafka");

/**
 * Sends a record within a span of its own. Its headers get what the consumer continues: the ids of the current request
 * and the trace context.
 * @param id used as the request id outside of a request.
 */
export async function sendInSpan(
  record: OutgoingRecord,
  id: string,
  send: () => Promise<void>,
): Promise<void> {
  const attributes = { ...destination(record.topic), ...operation("send") };
  const span = tracer().startSpan(`send ${record.topic}`, { kind: SpanKind.PRODUCER, attributes });
  const request = currentRequest();
  record.headers.push(
    ["x-request-id", request?.requestId ?? id],
    ["x-correlation-id", request?.correlationId ?? id],
  );
  propagation.inject(trace.setSpan(context.active(), span), record.headers, {
    set: (headers, name, value) => void headers.push([name, value]),
  });
  try {
    await send();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
    throw error;
  } finally {
    span.end();
  }
}

/** The record's headers as text; the last one of a name counts. */
export function textHeaders({ headerEntries }: KafkaRecord): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of headerEntries) {
    if (value !== undefined) headers[name.toString("latin1").toLowerCase()] = value.toString();
  }
  return headers;
}

/**
 * The context of a record's processing: the request and the trace of its publisher.
 * @param ratio share of the traces that are kept when the record's headers do not say.
 */
export function contextOf(record: KafkaRecord, group: string, ratio: number): RecordContext {
  const headers = textHeaders(record);
  const { requestId, correlationId } = requestIds(headers);
  const position = placeInTrace(headers, ratio);
  const attributes = { "messaging.kafka.offset": Number(record.offset) };
  return {
    requestId,
    correlationId,
    ...position,
    span: spanOf(position, record, group, attributes),
  };
}

/** The context for records that are processed together: a trace of its own, with links to those of the publishers. */
export function contextOfBatch(
  records: readonly KafkaRecord[],
  group: string,
  ratio: number,
): RecordContext {
  const position = placeInTrace({}, ratio);
  const attributes = { "messaging.batch.message_count": records.length };
  const links = position.isSampled ? records.flatMap(linkTo) : [];
  const span = spanOf(position, records[0]!, group, attributes, links);
  return { ...requestIds({}), ...position, span };
}

function spanOf(
  position: TracePosition,
  { topic, partition }: KafkaRecord,
  group: string,
  attributes: Attributes,
  links: Link[] = [],
): Span | undefined {
  if (!position.isSampled) return undefined;
  return startSpanAt(position, tracer(), `process ${topic}`, {
    kind: SpanKind.CONSUMER,
    attributes: {
      ...destination(topic),
      ...operation("process"),
      "messaging.consumer.group.name": group,
      "messaging.destination.partition.id": String(partition),
      ...attributes,
    },
    links,
  });
}

function linkTo(record: KafkaRecord): Link[] {
  const headers = textHeaders(record);
  const parent = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, headers));
  return parent === undefined ? [] : [{ context: parent }];
}

function destination(topic: string): Attributes {
  return { "messaging.system": "kafka", "messaging.destination.name": topic };
}

function operation(name: "send" | "process"): Attributes {
  return { "messaging.operation.name": name, "messaging.operation.type": name };
}
