import { setTimeout as delay } from "node:timers/promises";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { type ExportResult, ExportResultCode, suppressTracing } from "@opentelemetry/core";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { scopes } from "../context.ts";
import type { Logger } from "../logging.ts";

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
export function createSpanExporter(url: string, log: Logger, stopping: AbortSignal): SpanExporter {
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
    const startedAt = performance.now();
    let result = await tryOnce(spans);
    for (let wait = FIRST_WAIT_MS; isRetryable(result) && !stopping.aborted; wait *= 2) {
      if (performance.now() + wait > startedAt + RETRY_FOR_MS) break;
      await delay(wait, undefined, { signal: stopping, ref: false }).catch(() => {});
      result = await tryOnce(spans);
    }
    logChange(result);
    done(result);
  }

  function logChange({ code, error }: ExportResult): void {
    const fails = code === ExportResultCode.FAILED;
    if (fails === isFailing) return;
    isFailing = fails;
    if (fails) log.warn({ collector: url, reason: error?.message }, "spans cannot be exported");
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

function isRetryable({ code, error }: ExportResult): boolean {
  if (code === ExportResultCode.SUCCESS) return false;
  return RETRYABLE.has((error as { code?: number } | undefined)?.code ?? 0);
}
