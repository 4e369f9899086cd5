import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { currentRequest, type RequestContext } from "../context.ts";
import { requestIds } from "../http/request-ids.ts";
import { placeInTrace, startSpanAt, type TracePosition } from "../observability/tracing.ts";
import type { KafkaRecord, OutgoingRecord } from "./port.ts";

/** The surroundings of a record's processing, in the form that a request's have. */
export type RecordContext = RequestContext & TracePosition & { span: Span | undefined };

/** Asked for each time, because telemetry may be started anew. */
const tracer = (): Tracer => trace.getTracer("kafka");

/**
 * Sends a record within a span of its own, and writes into its headers whatever the consumer needs to go on: the ids
 * of the request at hand, and the place in the trace.
 * @param id stands for the request id where there is no request.
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
 * Where the processing of a record belongs: to the request and the trace of whoever published it.
 * @param ratio share of the traces that are kept where the record brings no decision.
 */
export function contextOf(record: KafkaRecord, group: string, ratio: number): RecordContext {
  const headers = textHeaders(record);
  const { requestId, correlationId } = requestIds(headers);
  const position = placeInTrace(headers, ratio);
  const span = position.isSampled
    ? startSpanAt(position, tracer(), `process ${record.topic}`, {
        kind: SpanKind.CONSUMER,
        attributes: attributesOf(record, group),
      })
    : undefined;
  return { requestId, correlationId, ...position, span };
}

function attributesOf(record: KafkaRecord, group: string): Attributes {
  return {
    ...destination(record.topic),
    ...operation("process"),
    "messaging.consumer.group.name": group,
    "messaging.destination.partition.id": String(record.partition),
    "messaging.kafka.offset": Number(record.offset),
  };
}

function destination(topic: string): Attributes {
  return { "messaging.system": "kafka", "messaging.destination.name": topic };
}

function operation(name: "send" | "process"): Attributes {
  return { "messaging.operation.name": name, "messaging.operation.type": name };
}
