import { type Context, context, propagation, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { version } from "./package-info.ts";
import { telemetryContext } from "./telemetry-context.ts";
import { SAMPLED } from "./tracing.ts";

const FLUSH_LIMIT_MS = 2_000;

interface TelemetrySettings {
  SERVICE_NAME: string;
  ENVIRONMENT: string;
  OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  OTEL_TRACES_SAMPLER_ARG: number;
}

/**
 * Starts tracing for this process: parent-based ratio sampling, W3C trace context, spans for inbound requests
 * (decided on in tracing.ts) and for every `fetch`. Without OTEL_EXPORTER_OTLP_ENDPOINT ids are made, nothing is sent.
 * @param processors replaces the OTLP exporter, for tests.
 * @returns what flushes and stops it, within two seconds even when the collector does not answer.
 */
export async function startTelemetry(
  settings: TelemetrySettings,
  processors?: SpanProcessor[],
): Promise<AsyncDisposable> {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": settings.SERVICE_NAME,
      "service.version": version,
      "deployment.environment.name": settings.ENVIRONMENT,
      "service.instance.id": `${process.pid}@${process.env.HOSTNAME ?? "localhost"}`,
    }),
    sampler: withDecisionsMade(
      new ParentBasedSampler({
        root: new TraceIdRatioBasedSampler(settings.OTEL_TRACES_SAMPLER_ARG),
      }),
    ),
    spanProcessors: processors ?? (await otlpProcessors(settings.OTEL_EXPORTER_OTLP_ENDPOINT)),
  });
  context.setGlobalContextManager(telemetryContext);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  const unregister = registerInstrumentations({
    tracerProvider: provider,
    instrumentations: [new UndiciInstrumentation({ requireParentforSpans: true })],
  });
  return {
    async [Symbol.asyncDispose]() {
      unregister();
      await Promise.race([provider.shutdown().catch(() => {}), delay(FLUSH_LIMIT_MS)]);
      trace.disable();
      propagation.disable();
      context.disable();
    },
  };
}

// gRPC takes a third of a worker's start-up time: it is loaded only by a service that exports.
async function otlpProcessors(endpoint: string | undefined): Promise<SpanProcessor[]> {
  if (endpoint === undefined) return [];
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-grpc");
  return [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: endpoint }) })];
}

/** Keeps the decisions that tracing.ts made on inbound requests, and leaves all others to `sampler`. */
function withDecisionsMade(sampler: Sampler): Sampler {
  return {
    shouldSample(parent: Context, ...rest) {
      if (parent.getValue(SAMPLED) === true)
        return { decision: SamplingDecision.RECORD_AND_SAMPLED };
      return sampler.shouldSample(parent, ...rest);
    },
    toString: () => `WithDecisionsMade{${sampler.toString()}}`,
  };
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
