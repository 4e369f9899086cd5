import {
  context,
  createNoopMeter,
  diag,
  DiagLogLevel,
  type Meter,
  propagation,
  trace,
} from "@opentelemetry/api";
import {
  CompositePropagator,
  getBooleanFromEnv,
  getNumberFromEnv,
  getStringFromEnv,
  setGlobalErrorHandler,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from "@opentelemetry/core";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import {
  defaultResource,
  detectResources,
  type Resource,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { Counter, type Registry } from "@prometheus-io/client";
import type { Logger } from "../logging.ts";
import { TimeoutError, withTimeout } from "../timing.ts";
import { followHttpClient } from "./outbound.ts";
import { createSpanExporter } from "./span-exporter.ts";
import { contextManager, idGenerator, isDecided } from "./tracing.ts";

const FLUSH_LIMIT_MS = 2_000;
/** The convention has no limit; a single attribute could fill a whole request to the collector. */
const VALUE_CHARS = 4_096;
const QUEUE_SPANS = 8_192;
const MAX_WARNINGS = 50;

const BATCH_VARIABLES = {
  maxQueueSize: "OTEL_BSP_MAX_QUEUE_SIZE",
  maxExportBatchSize: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
  scheduledDelayMillis: "OTEL_BSP_SCHEDULE_DELAY",
  exportTimeoutMillis: "OTEL_BSP_EXPORT_TIMEOUT",
};

interface TelemetrySettings {
  SERVICE_NAME: string;
  VERSION: string;
  ENVIRONMENT: string;
  OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  OTEL_TRACES_SAMPLER_ARG: number;
}

let isStarted = false;

/**
 * Starts tracing for this process: parent-based ratio sampling, W3C trace context and baggage, spans for inbound requests
 * (decided on in tracing.ts) and for every outbound one. Without an endpoint ids are made, nothing is sent. The SDK's
 * variables for limits, batches, resource and exporter count as OpenTelemetry documents them. A process has one telemetry:
 * to start it again, as two apps in one test do, changes nothing.
 * @param processors replaces the export to the collector, for tests.
 * @returns what flushes and stops it, within two seconds even when the collector does not answer.
 */
export function startTelemetry(
  settings: TelemetrySettings,
  log: Logger,
  metrics: Registry,
  processors?: SpanProcessor[],
): AsyncDisposable {
  if (isStarted) return { async [Symbol.asyncDispose]() {} };
  isStarted = true;
  diag.setLogger(createDiagLogger(log), {
    logLevel: DiagLogLevel.WARN,
    suppressOverrideMessage: true,
  });
  // Its errors are failed exports, which the exporter has logged.
  setGlobalErrorHandler(() => {});
  const stopping = new AbortController();
  const provider = new TracerProvider({
    sampler: withDecisionsMade(
      new ParentBasedSampler({
        root: new TraceIdRatioBasedSampler(settings.OTEL_TRACES_SAMPLER_ARG),
      }),
    ),
    idGenerator,
    resource: resourceOf(settings),
    spanLimits: {
      attributeValueLengthLimit: VALUE_CHARS,
      ...fromEnv({ attributeValueLengthLimit: "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT" }),
      ...fromEnv({ attributeValueLengthLimit: "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT" }),
    },
    spanProcessors: processors ?? batches(settings, log, metrics, stopping.signal),
  });
  context.setGlobalContextManager(contextManager);
  propagation.setGlobalPropagator(
    new CompositePropagator({
      propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
    }),
  );
  trace.setGlobalTracerProvider(provider);
  const fetches = new UndiciInstrumentation({ requireParentforSpans: true });
  const calls = followHttpClient();
  return {
    async [Symbol.asyncDispose]() {
      fetches.disable();
      calls[Symbol.dispose]();
      stopping.abort();
      await withTimeout(provider.shutdown(), FLUSH_LIMIT_MS).catch((error: unknown) => {
        if (!(error instanceof TimeoutError)) return;
        log.warn({ limit_ms: FLUSH_LIMIT_MS }, "the last spans could not be exported in time");
      });
      trace.disable();
      propagation.disable();
      context.disable();
      diag.disable();
      isStarted = false;
    },
  };
}

function batches(
  settings: TelemetrySettings,
  log: Logger,
  metrics: Registry,
  stopping: AbortSignal,
): SpanProcessor[] {
  const url =
    getStringFromEnv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") ?? settings.OTEL_EXPORTER_OTLP_ENDPOINT;
  const isOff = getStringFromEnv("OTEL_TRACES_EXPORTER") === "none";
  if (url === undefined || isOff || getBooleanFromEnv("OTEL_SDK_DISABLED")) return [];
  const processor = new BatchSpanProcessor({
    exporter: createSpanExporter(url, log, stopping),
    selfObsMeterProvider: { getMeter: () => countSpans(metrics) },
    maxQueueSize: QUEUE_SPANS,
    ...fromEnv(BATCH_VARIABLES),
  });
  return [processor];
}

/** The SDK counts the spans it is done with; this meter hands the figures to the service's metrics. */
function countSpans(metrics: Registry): Meter {
  const spans = new Counter({
    name: "telemetry_spans_total",
    help: "Sampled spans that were exported, failed to be, or were dropped because too many waited.",
    labelNames: ["outcome"],
    registers: [metrics],
  });
  for (const outcome of ["exported", "failed", "dropped"]) spans.inc({ outcome }, 0);
  const meter: Meter = Object.create(createNoopMeter());
  meter.createCounter = () => ({
    add(count, attributes) {
      const error = (attributes as Record<string, unknown> | undefined)?.["error.type"];
      const failure = error === "queue_full" ? "dropped" : "failed";
      spans.inc({ outcome: error === undefined ? "exported" : failure }, count);
    },
  });
  return meter;
}

function resourceOf(settings: TelemetrySettings): Resource {
  const own = resourceFromAttributes({
    "service.name": settings.SERVICE_NAME,
    "service.version": settings.VERSION,
    "deployment.environment.name": settings.ENVIRONMENT,
    "service.instance.id": `${process.pid}@${process.env.HOSTNAME ?? "localhost"}`,
  });
  const detectors = [resourceAttributesEnvDetector, serviceNameEnvDetector];
  return defaultResource().merge(own).merge(detectResources({ detectors }));
}

/** The options whose variables are set, of those that the SDK leaves to the application to read. */
function fromEnv(variables: Record<string, string>): Record<string, number> {
  const options: Record<string, number> = {};
  for (const [option, variable] of Object.entries(variables)) {
    const value = getNumberFromEnv(variable);
    if (value !== undefined) options[option] = value;
  }
  return options;
}

/** Logs what the SDK complains about, each kind of complaint once. */
function createDiagLogger(log: Logger): Parameters<typeof diag.setLogger>[0] {
  const known = new Set<string>();
  const warn = (text: string): void => {
    const kind = text.slice(0, 200).replace(/[0-9a-f]{16,32}|\d+/g, "#");
    if (known.has(kind) || known.size >= MAX_WARNINGS) return;
    known.add(kind);
    log.warn({ detail: text }, "telemetry has a problem");
  };
  return { error: warn, warn, info() {}, debug() {}, verbose() {} };
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
