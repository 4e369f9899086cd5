import { expect, test } from "vitest";
import type { Exchange } from "../../src/platform/http/exchange.ts";
import { createAccessLog } from "../../src/platform/observability/access-log.ts";

const settings = { LOG_LEVEL: "info", SERVICE_NAME: "svc", ENVIRONMENT: "stage", VERSION: "1.2.3" };

function lineOf(given: object, headers: Record<string, string> = {}): string {
  let written = "";
  using log = createAccessLog(settings, { write: (lines) => void (written += lines) });
  const request = {
    requestId: "r-1",
    correlationId: "c-1",
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    spanId: "00f067aa0ba902b7",
    req: { method: "GET", headers },
    path: "/things/7",
    route: "/things/{id}",
    remoteAddress: "192.0.2.1",
    bytesSent: 0,
    ...given,
  };
  log.write(request as unknown as Exchange, 200, 0.0125);
  log.flush();
  return written;
}

test("a line has the fields of the standard", () => {
  expect(JSON.parse(lineOf({}, { "user-agent": "tests/1" }))).toEqual({
    level: "info",
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    service_name: "svc",
    environment: "stage",
    version: "1.2.3",
    request_id: "r-1",
    correlation_id: "c-1",
    trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
    span_id: "00f067aa0ba902b7",
    method: "GET",
    path: "/things/7",
    route: "/things/{id}",
    status: 200,
    duration_ms: 12.5,
    remote_ip: "192.0.2.1",
    bytes: 0,
    user_agent: "tests/1",
    worker_pid: process.pid,
    message: "request completed",
  });
});

test("the answer's bytes are logged", () => {
  expect(JSON.parse(lineOf({ bytesSent: 1_234 }))).toMatchObject({ bytes: 1_234 });
});

test("a route may hold what JSON escapes", () => {
  const route = String.raw`/things/:id(\d+)"`;
  expect(JSON.parse(lineOf({ route }))).toMatchObject({ route });
});

test.each(["\u0080", "\u009b", "\u007f", "\u202e", "\u00e9", '"', "\\", "~"])(
  "%j can neither command a terminal nor make a line too long",
  (char) => {
    const long = char.repeat(10_000);
    const line = lineOf(
      { path: `/${long}`, remoteAddress: long, requestId: "r".repeat(128) },
      { "user-agent": long },
    );
    expect(Buffer.byteLength(line)).toBeLessThan(4_096);
    expect(line).not.toMatch(/[\u007f-\u009f\u202e]/);
    expect(JSON.parse(line).path).toMatch(/^\/.+…$/s);
  },
);
