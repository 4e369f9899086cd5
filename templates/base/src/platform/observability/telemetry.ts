import { setTimeout as delay } from "node:timers/promises";
import {
  context,
  createNoopMeter,
  diag,
  DiagLogLevel,
  type Meter,
  propagation,
  ROOT_CONTEXT,
  trace,
} from "@opentelemetry/api";
import {
  CompositePropagator,
  type ExportResult,
  ExportResultCode,
  getBooleanFromEnv,
  getNumberFromEnv,
  getStringFromEnv,
  setGlobalErrorHandler,
  suppressTracing,
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
  type SpanExporter,
  type SpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { Counter, type Registry } from "@prometheus-io/client";
import { scopes } from "../context.ts";
import type { Logger } from "../logging.ts";
import type { StandardSettings } from "../settings.ts";
import { TimeoutError, withTimeout } from "../timing.ts";
import { contextManager, createSampler, followHttpClient, idGenerator } from "./tracing.ts";

const FLUSH_LIMIT_MS = 2_000;
/** The convention has no limit; a single attribute could fill a whole request to the collector. */
const VALUE_CHARS = 4_096;
const QUEUE_SPANS = 8_192;
const MAX_WARNINGS = 50;

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
  settings: StandardSettings,
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
    sampler: createSampler(settings.OTEL_TRACES_SAMPLER_ARG),
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
  settings: StandardSettings,
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
    ...fromEnv({
      maxQueueSize: "OTEL_BSP_MAX_QUEUE_SIZE",
      maxExportBatchSize: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
      scheduledDelayMillis: "OTEL_BSP_SCHEDULE_DELAY",
      exportTimeoutMillis: "OTEL_BSP_EXPORT_TIMEOUT",
    }),
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

function resourceOf(settings: StandardSettings): Resource {
  const own = resourceFromAttributes({
    "service.name": settings.SERVICE_NAME,
    "service.version": settings.VERSION,
    "deployment.environment.name": settings.ENVIRONMENT,
    "service.instance.id": `${process.pid}@${process.env.HOSTNAME ?? "localhost"}`,
  });
  const detectors = [resourceAttributesEnvDetector, serviceNameEnvDetector];
  return defaultResource().merge(own).merge(detectResources({ detectors }));
}

/** Options from environment variables that the SDK does not read by itself. */
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

type Spans = Parameters<SpanExporter["export"]>[0];

const FIRST_WAIT_MS = 1_000;
const RETRY_FOR_MS = 10_000;
// CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS: opentelemetry.io/docs/specs/otlp, failures.
const RETRYABLE = new Set([1, 4, 10, 11, 14, 15]);

/**
 * OpenTelemetry's exporter for OTLP over gRPC, loaded with the first batch: to load it takes as long as a hundred
 * requests, and the spans wait in the batch processor. What the collector had no room for is sent again for ten seconds.
 * Logs when exports begin to fail, and when they work again.
 * @param stopping no batch is sent again after it.
 */
function createSpanExporter(url: string, log: Logger, stopping: AbortSignal): SpanExporter {
  let loading: Promise<SpanExporter> | undefined;
  let isFailing = false;

  async function load(): Promise<SpanExporter> {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-grpc");
    return new OTLPTraceExporter({ url });
  }

  async function tryOnce(spans: Spans): Promise<ExportResult> {
    try {
      const exporter = await (loading ??= load());
      return await new Promise((resolve) => exporter.export(spans, resolve));
    } catch (error) {
      return { code: ExportResultCode.FAILED, error: error as Error };
    }
  }

  async function send(spans: Spans, done: (result: ExportResult) => void): Promise<void> {
    const endsAt = performance.now() + RETRY_FOR_MS;
    let result = await tryOnce(spans);
    for (let wait = FIRST_WAIT_MS; isRetryable(result) && !stopping.aborted; wait *= 2) {
      if (performance.now() + wait > endsAt) break;
      await delay(wait, undefined, { signal: stopping, ref: false }).catch(() => {});
      result = await tryOnce(spans);
    }
    done(result);
    const fails = result.code === ExportResultCode.FAILED;
    if (fails === isFailing) return;
    isFailing = fails;
    const reason = result.error?.message;
    if (fails) log.warn({ collector: url, reason }, "spans cannot be exported");
    else log.info({ collector: url }, "spans are exported again");
  }

  return {
    export(spans, done) {
      // Not as part of the request that happened to fill the batch.
      const outside = { request: undefined, telemetry: suppressTracing(ROOT_CONTEXT) };
      void scopes.run(outside, send, spans, done);
    },
    async forceFlush() {},
    async shutdown() {
      await (await loading?.catch(() => undefined))?.shutdown();
    },
  };
}

function isRetryable({ error }: ExportResult): boolean {
  return RETRYABLE.has((error as { code?: number } | undefined)?.code ?? 0);
}
