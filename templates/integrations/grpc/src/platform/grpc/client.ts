import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type Attributes, context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { Histogram, type Registry } from "@prometheus-io/client";
import { currentRequest, inSpan } from "../context.ts";
import type { Channel } from "./channel.ts";
import { timeLeft } from "./deadline.ts";
import { GrpcError, grpcFailure } from "./status.ts";

/** What one call may have of its own. */
export interface CallOptions {
  /** Ends the call, and the server is told. One of `deadlineSignal` also limits how long it may take. */
  signal?: AbortSignal | undefined;
  /** How long the call may take with its retries, in milliseconds; the client's time when left out. */
  timeoutMs?: number;
  /** Sent along, beside the ids. */
  metadata?: Record<string, string>;
}

/** Calls one method: `members.getBalance({ memberId }, { signal })`. */
type Call<Input extends DescMessage, Output extends DescMessage> = (
  request: MessageInitShape<Input>,
  options?: CallOptions,
) => Promise<MessageShape<Output>>;

/** A function for each method of a service that takes a message and answers one. It knows no streams. */
export type GrpcClient<Service extends DescService> = {
  [
    Name in keyof Service["method"] as Service["method"][Name] extends DescMethodUnary
      ? Name
      : never
  ]: Service["method"][Name] extends DescMethodUnary<infer Input, infer Output>
    ? Call<Input, Output>
    : never;
};

interface ClientOptions {
  /** Where the calls are counted; nowhere when left out. */
  metrics?: Registry;
  /** How long a call may take with its retries, in milliseconds; 5,000 when left out. */
  timeoutMs?: number | undefined;
}

/**
 * A client of one service of a server. Each call carries the ids and the trace of the request at hand, has a deadline
 * and a span, and is measured. Its failures are AppErrors, by `grpcFailure`.
 */
export function createGrpcClient<Service extends DescService>(
  service: Service,
  channel: Channel,
  { metrics, timeoutMs = 5_000 }: ClientOptions = {},
): GrpcClient<Service> {
  const durations = metrics && callDurations(metrics);
  const client: Record<string, unknown> = {};
  for (const method of service.methods.filter(isUnary)) {
    client[method.localName] = async (request: object, options: CallOptions = {}) => {
      const labels = { service: service.typeName, method: method.name };
      const startedAt = performance.now();
      const observe = (status: string): void =>
        durations?.observe({ ...labels, status }, (performance.now() - startedAt) / 1_000);
      try {
        const answer = await traced(method, () =>
          send(channel, method, request, options, timeoutMs),
        );
        observe("OK");
        return answer;
      } catch (error) {
        if (!(error instanceof GrpcError)) throw error;
        observe(error.status);
        // What ended the call says more than that it was ended.
        options.signal?.throwIfAborted();
        throw grpcFailure(error);
      }
    };
  }
  return client as GrpcClient<Service>;
}

// Every call has a deadline.
const LONGEST_MS = 3_600_000;

// What comes with a request's headers and ends an HTTP/2 stream before it begins, so that the library tries for ever.
const NO_METADATA = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

function isUnary(method: DescMethod): method is DescMethod & DescMethodUnary {
  return method.methodKind === "unary";
}

function send(
  channel: Channel,
  method: DescMethodUnary,
  request: object,
  { signal, timeoutMs: own, metadata = {} }: CallOptions,
  timeoutMs: number,
): Promise<unknown> {
  signal?.throwIfAborted();
  const time = Math.min(own ?? timeoutMs, timeLeft(signal), LONGEST_MS);
  if (Number.isNaN(time)) throw new RangeError("timeoutMs must be a number");
  const wrong = Object.keys(metadata).find((name) => NO_METADATA.has(name.toLowerCase()));
  if (wrong !== undefined) throw new TypeError(`${wrong} belongs to HTTP, and is no metadata`);
  return channel.call({
    method,
    request: create(method.input, request as never),
    metadata: { ...metadata, ...idsAndTrace() },
    timeoutMs: time,
    signal,
  });
}

/** Within a recorded trace a call has a span; one that belongs to no trace, such as a readiness check, does not. */
function traced(method: DescMethodUnary, call: () => Promise<unknown>): Promise<unknown> {
  if (trace.getSpan(context.active())?.isRecording() !== true) return call();
  const { parent, name } = method;
  const attributes: Attributes = {
    "rpc.system": "grpc",
    "rpc.service": parent.typeName,
    "rpc.method": name,
  };
  const options = { kind: SpanKind.CLIENT, attributes };
  return inSpan(`${parent.typeName}/${name}`, options, async (span) => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof GrpcError) span.setAttribute("rpc.response.status_code", error.status);
      throw error;
    }
  });
}

function idsAndTrace(): Record<string, string> {
  const metadata: Record<string, string> = {};
  propagation.inject(context.active(), metadata);
  const request = currentRequest();
  if (request !== undefined) {
    metadata["x-request-id"] = request.requestId;
    metadata["x-correlation-id"] = request.correlationId;
  }
  return metadata;
}

/** One metric for all clients of a process. */
function callDurations(metrics: Registry): Histogram<"service" | "method" | "status"> {
  const name = "grpc_client_call_duration_seconds";
  const known = metrics.getSingleMetric(name);
  if (known !== undefined) return known as ReturnType<typeof callDurations>;
  return new Histogram({
    name,
    help: "Duration of calls over gRPC with their retries, by how they ended.",
    labelNames: ["service", "method", "status"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [metrics],
  });
}
