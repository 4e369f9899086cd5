import { context, propagation, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import {
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { createSpanExporter } from "./otlp/span-exporter.ts";
import { telemetryContext } from "./telemetry-context.ts";
import { idGenerator, isDecided } from "./tracing.ts";

const FLUSH_LIMIT_MS = 2_000;

interface TelemetrySettings {
  SERVICE_NAME: string;
  VERSION: string;
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
export function startTelemetry(
  settings: TelemetrySettings,
  processors?: SpanProcessor[],
): AsyncDisposable {
  const provider = new TracerProvider({
    sampler: withDecisionsMade(
      new ParentBasedSampler({
        root: new TraceIdRatioBasedSampler(settings.OTEL_TRACES_SAMPLER_ARG),
      }),
    ),
    idGenerator,
    spanProcessors: processors ?? otlpProcessors(settings),
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

function otlpProcessors(settings: TelemetrySettings): SpanProcessor[] {
  const { SERVICE_NAME, ENVIRONMENT, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = settings;
  if (endpoint === undefined) return [];
  return [
    createSpanExporter(endpoint, {
      "service.name": SERVICE_NAME,
      "service.version": settings.VERSION,
      "deployment.environment.name": ENVIRONMENT,
      "service.instance.id": `${process.pid}@${process.env.HOSTNAME ?? "localhost"}`,
    }),
  ];
}

/** Keeps the decisions that tracing.ts made on inbound requests, and leaves all others to `sampler`. */
function withDecisionsMade(sampler: Sampler): Sampler {
  return {
    shouldSample: (...span) =>
      isDecided()
        ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
        : sampler.shouldSample(...span),
    toString: () => `WithDecisionsMade{${sampler.toString()}}`,
  };
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
