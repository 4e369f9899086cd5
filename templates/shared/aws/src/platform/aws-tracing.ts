import {
  type Attributes,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { InitializeHandler, InitializeMiddleware, Pluggable } from "@smithy/types";

/** Attributes of one service's calls, such as the table, beside those that all have. */
export type DescribeCall = (operation: string, input: Record<string, unknown>) => Attributes;

interface Metadata {
  httpStatusCode?: number;
  requestId?: string;
}

/**
 * A span for each call of a client, retries included, as a child of whatever is being traced; nothing for a call that
 * belongs to no trace, such as the readiness check: `client.middlewareStack.use(awsTracing("S3", …))`.
 *
 * @param service as AWS names it, such as `DynamoDB`
 */
export function awsTracing(
  service: string,
  region: string,
  describe: DescribeCall,
): Pluggable<object, object> {
  const tracer = trace.getTracer("aws-sdk");
  const middleware: InitializeMiddleware<object, object> = (next, { commandName = "" }) => {
    const operation = commandName.replace(/Command$/, "");
    return (args) => {
      if (trace.getSpan(context.active())?.isRecording() !== true) return next(args);
      const span = tracer.startSpan(`${service}.${operation}`, {
        kind: SpanKind.CLIENT,
        attributes: {
          "rpc.system": "aws-api",
          "rpc.service": service,
          "rpc.method": operation,
          "cloud.region": region,
          ...describe(operation, args.input as Record<string, unknown>),
        },
      });
      return follow(span, () => next(args));
    };
  };
  return {
    applyToStack: (stack) =>
      stack.add(middleware, { step: "initialize", name: "tracing", override: true }),
  };
}

async function follow(
  span: Span,
  call: () => ReturnType<InitializeHandler<object, object>>,
): ReturnType<InitializeHandler<object, object>> {
  try {
    const result = await context.with(trace.setSpan(context.active(), span), call);
    span.setAttributes(attributesOf((result.output as { $metadata: Metadata }).$metadata));
    return result;
  } catch (error) {
    const { name = "Error", $metadata = {} } = error as { name?: string; $metadata?: Metadata };
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
