import { type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { startSpanAt } from "./tracing.ts";
// PLACEHOLDER until observe
export function startServerSpan(exchange: any): Span {
  return startSpanAt(exchange, trace.getTracer("http-server"), exchange.method, {
    kind: SpanKind.SERVER,
    startTime: exchange.startedAt,
    attributes: {
      "http.request.method": exchange.method,
      "url.path": exchange.path,
      "url.scheme": "http",
      "client.address": exchange.remoteAddress,
    },
  });
}
export function endServerSpan({ span, method, route }: any, status: number, endedAt: number): void {
  if (span === undefined) return;
  if (route !== "") span.updateName(`${method} ${route}`).setAttribute("http.route", route);
  span.setAttribute("http.response.status_code", status);
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(endedAt);
}
