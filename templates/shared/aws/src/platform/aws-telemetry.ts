import {
  type Attributes,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { Histogram, type Registry } from "@prometheus-io/client";
import type { InitializeHandlerOutput, InitializeMiddleware, Pluggable } from "@smithy/types";

/** Attributes of one service's calls, such as the table, in addition to those that all calls have. */
export type DescribeCall = (operation: string, input: Record<string, unknown>) => Attributes;

interface AwsTelemetry {
  /** As AWS names it, such as `DynamoDB`. */
  service: string;
  region: string;
  metrics: Registry;
  describe: DescribeCall;
}

interface Metadata {
  httpStatusCode?: number;
  requestId?: string;
}

/**
 * Measures each call of a client, including its retries: `client.middlewareStack.use(awsTelemetry({ … }))`. Within a
 * recorded trace the call also gets a span; a readiness check, which belongs to no trace, does not.
 */
export function awsTelemetry<Input extends object, Output extends object>(
  options: AwsTelemetry,
): Pluggable<Input, Output> {
  const { service, region, describe } = options;
  const durations = callDurations(options.metrics);
  const tracer = trace.getTracer("aws-sdk");
  const middleware: InitializeMiddleware<Input, Output> = (next, { commandName = "" }) => {
    const operation = commandName.replace(/Command$/, "");
    return async (args) => {
      const startedAt = performance.now();
      const observe = (outcome: string): void =>
        durations.observe({ service, operation, outcome }, (performance.now() - startedAt) / 1_000);
      const call = async (): Promise<InitializeHandlerOutput<Output>> => {
        try {
          const result = await next(args);
          observe("ok");
          return result;
        } catch (error) {
          observe((error as Error).name);
          throw error;
        }
      };
      if (trace.getSpan(context.active())?.isRecording() !== true) return call();
      const attributes = {
        "rpc.system": "aws-api",
        "rpc.service": service,
        "rpc.method": operation,
        "cloud.region": region,
        ...describe(operation, args.input as Record<string, unknown>),
      };
      const name = `${service}.${operation}`;
      return inSpan(tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }), call);
    };
  };
  return {
    applyToStack: (stack) =>
      stack.add(middleware, { step: "initialize", name: "telemetry", override: true }),
  };
}

/** One metric for all clients of a process. */
function callDurations(metrics: Registry): Histogram<"service" | "operation" | "outcome"> {
  const name = "aws_client_call_duration_seconds";
  const known = metrics.getSingleMetric(name);
  if (known !== undefined) return known as ReturnType<typeof callDurations>;
  return new Histogram({
    name,
    help: "Duration of calls to AWS with their retries; the outcome is ok or the name of the error.",
    labelNames: ["service", "operation", "outcome"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [metrics],
  });
}

async function inSpan<Result extends { output: object }>(
  span: Span,
  call: () => Promise<Result>,
): Promise<Result> {
  try {
    const result = await context.with(trace.setSpan(context.active(), span), call);
    const { $metadata = {} } = result.output as { $metadata?: Metadata };
    span.setAttributes(attributesOf($metadata));
    return result;
  } catch (error) {
    const { name, $metadata = {} } = error as Error & { $metadata?: Metadata };
    span.setAttributes({ ...attributesOf($metadata), "error.type": name });
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function attributesOf({ httpStatusCode, requestId }: Metadata): Attributes {
  return {
    ...(httpStatusCode === undefined ? {} : { "http.response.status_code": httpStatusCode }),
    ...(requestId === undefined ? {} : { "aws.request_id": requestId }),
  };
}
