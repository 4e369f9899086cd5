import { trace } from "@opentelemetry/api";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { expect } from "vitest";
import { createApp as serviceApp } from "../../src/app.ts";
import { idGenerator } from "../../src/platform/observability/tracing.ts";
import { createTestApp, errorOf, type TestApp, type TestResponse } from "../support.ts";

export type CreateApp = typeof serviceApp;

/** What must be known of a request when it is over, whoever answered it. */
export interface Expected {
  status: number;
  /** The template; "" when no route took the request. */
  route: string;
  method?: string;
  /** The code in the standard's error body. */
  code?: string;
  /** The request's id, for an answer that never came. */
  requestId?: string;
}

/** The whole service with an application of the test's own, its log lines, metrics and spans at hand. */
export interface ObservedApp extends TestApp {
  /** Checks ids, error body, access line, metrics and span of an answer, and that no request is left in flight. */
  check(response: TestResponse | undefined, expected: Expected): Promise<void>;
  metricsText(): Promise<string>;
}

export async function observedApp(
  options: Parameters<typeof createTestApp>[0] = {},
): Promise<ObservedApp> {
  const spans = new InMemorySpanExporter();
  const seen = new Map<string, number>();
  const { createApp = serviceApp } = options;
  const app = await createTestApp({
    ...options,
    createApp: (deps, platform) => {
      // In the place of the service's own, which has been started by now.
      trace.disable();
      trace.setGlobalTracerProvider(
        new TracerProvider({
          idGenerator,
          spanProcessors: [new SimpleSpanProcessor({ exporter: spans })],
        }),
      );
      return createApp(deps, platform);
    },
  });
  const metricsText = (): Promise<string> => app.service.metrics.registry.metrics();

  function accessLines(requestId: string): Record<string, unknown>[] {
    app.service.flush();
    return app.logs.filter(
      ({ message, request_id }) => message === "request completed" && request_id === requestId,
    );
  }

  async function check(response: TestResponse | undefined, expected: Expected): Promise<void> {
    const { status, route, method = "GET", code } = expected;
    if (response !== undefined) {
      expect(response).toMatchObject({ statusCode: status });
      if (status >= 400 && method !== "HEAD") {
        expect(response.headers["content-type"]).toBe("application/json");
        expect(errorOf(response).request_id).toBe(response.headers["x-request-id"]);
        if (code !== undefined) expect(errorOf(response).code).toBe(code);
      }
    }
    const requestId = expected.requestId ?? String(response?.headers["x-request-id"]);
    expect(requestId).toMatch(/^[\w.-]{3,128}$/);
    await expect.poll(() => accessLines(requestId)).toHaveLength(1);
    const [line] = accessLines(requestId);
    expect(line).toMatchObject({ method, route, status, remote_ip: "127.0.0.1" });
    expect(response?.headers["x-correlation-id"] ?? line!.correlation_id).toBe(
      line!.correlation_id,
    );

    const span = spans.getFinishedSpans().find((it) => it.spanContext().spanId === line!.span_id);
    expect(span).toBeDefined();
    expect(span!.spanContext().traceId).toBe(line!.trace_id);
    expect(span!.attributes).toMatchObject({ "http.response.status_code": status });
    expect(span!.attributes["http.route"] ?? "").toBe(route);

    const series =
      `http_server_request_duration_seconds_count{http_request_method="${method}",` +
      `http_route="${route.replaceAll("\\", "\\\\")}",http_response_status_code="${status}"}`;
    const count = (seen.get(series) ?? 0) + 1;
    seen.set(series, count);
    const metrics = (await metricsText()).split("\n");
    expect(metrics.filter((it) => it.includes("_seconds_count{http"))).toContain(
      `${series} ${count}`,
    );
    expect(app.service.requestsInFlight()).toEqual([]);
    expect(metrics).toContain("http_server_active_requests 0");
  }

  return Object.assign(app, { check, metricsText });
}
