import { type Attributes, context, type Span, SpanKind, trace } from "@opentelemetry/api";
import { Histogram, type Registry } from "@prometheus-io/client";
import type { InitializeHandlerOutput, InitializeMiddleware, Pluggable } from "@smithy/types";
import { inSpan } from "./context.ts";

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
  const middleware: InitializeMiddleware<Input, Output> = (next, { commandName = "" }) => {
    const operation = commandName.replace(/Command$/, "");
    return async (args) => {
      const startedAt = performance.now();
      const observe = (outcome: string): void =>
        durations.observe({ service, operation, outcome }, (performance.now() - startedAt) / 1_000);
      const call = async (span?: Span): Promise<InitializeHandlerOutput<Output>> => {
        try {
          const result = await next(args);
          observe("ok");
          span?.setAttributes(attributesOf(result.output));
          return result;
        } catch (error) {
          observe((error as Error).name);
          span?.setAttributes(attributesOf(error as object));
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
      return inSpan(`${service}.${operation}`, { kind: SpanKind.CLIENT, attributes }, call);
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

/** What the SDK adds to each answer and each error. */
function attributesOf(outcome: { $metadata?: Metadata }): Attributes {
  const { httpStatusCode, requestId } = outcome.$metadata ?? {};
  return {
    ...(httpStatusCode !== undefined && { "http.response.status_code": httpStatusCode }),
    ...(requestId !== undefined && { "aws.request_id": requestId }),
  };
}
