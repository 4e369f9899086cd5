import { trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { Registry } from "@prometheus-io/client";
import { describe, expect, test } from "vitest";
import {
  BalanceService,
  type GetBalanceResponse,
} from "../../../src/integrations/grpc/gen/fetch/members/v1/balances_pb.ts";
import { inSpan, runInRequest } from "../../../src/platform/context.ts";
import { AppError } from "../../../src/platform/errors.ts";
import { createGrpcClient } from "../../../src/platform/grpc/client.ts";
import { deadlineSignal } from "../../../src/platform/grpc/deadline.ts";
import { memoryChannel, type Methods } from "../../../src/platform/grpc/memory-channel.ts";
import {
  GrpcError,
  grpcFailure,
  type GrpcStatus,
  onStatus,
  statusOf,
} from "../../../src/platform/grpc/status.ts";
import { createLogger } from "../../../src/platform/logging.ts";
import { startTelemetry } from "../../../src/platform/observability/telemetry.ts";
import { loadSettings } from "../../../src/settings.ts";

type GetBalance = NonNullable<Methods<typeof BalanceService>["getBalance"]>;
type Told = Parameters<GetBalance>[1];

interface Given {
  getBalance?: GetBalance;
  metrics?: Registry;
  timeoutMs?: number;
}

/** A client of a server that says what it was told of each call. */
function startClient({ getBalance = () => ({ points: 7n }), ...options }: Given = {}) {
  const told: Told[] = [];
  const channel = memoryChannel(BalanceService, {
    getBalance(request, call) {
      told.push(call);
      return getBalance(request, call);
    },
  });
  return { told, client: createGrpcClient(BalanceService, channel, options) };
}

const refuse = (status: GrpcStatus): GetBalance => {
  return () => {
    throw new GrpcError(status, "row 17 of members_pk");
  };
};

const hang: GetBalance = () => new Promise<GetBalanceResponse>(() => {});

async function failureOf(call: Promise<unknown>): Promise<AppError> {
  return call.then(
    () => expect.unreachable(),
    (error: unknown) => error as AppError,
  );
}

describe("a call", () => {
  test("carries a message there and back", async () => {
    const { client } = startClient({
      getBalance: ({ memberId }) => ({ points: BigInt(memberId.length), tier: 1 }),
    });
    expect(await client.getBalance({ memberId: "m-12" })).toMatchObject({ points: 4n, tier: 1 });
  });

  test("carries the ids and the trace of the request, and what the caller adds", async () => {
    const { told, client } = startClient();
    const settings = loadSettings({});
    const log = createLogger(settings, { write() {} });
    await using _telemetry = startTelemetry(settings, log, new Registry(), []);
    const ids = { requestId: "r-1", correlationId: "c-1" };
    const position = { traceId: "a".repeat(32), spanId: "b".repeat(16) };
    await runInRequest({ ...ids, ...position }, () =>
      client.getBalance({}, { metadata: { tenant: "t-1" } }),
    );
    expect(told[0]?.metadata).toEqual({
      tenant: "t-1",
      "x-request-id": "r-1",
      "x-correlation-id": "c-1",
      traceparent: `00-${position.traceId}-${position.spanId}-00`,
    });
  });

  test("of a method that the server lacks is a 502", async () => {
    const { client } = startClient();
    expect(await failureOf(client.spendPoints({}))).toMatchObject({ status: 502 });
  });
});

test("the headers of a request's connection are no metadata", async () => {
  const { told, client } = startClient();
  const metadata = { Connection: "close" };
  await expect(client.getBalance({ memberId: "m-1" }, { metadata })).rejects.toThrow(TypeError);
  expect(told).toEqual([]);
});

describe("the deadline", () => {
  test("is the client's, or the call's own", async () => {
    const { told, client } = startClient({ timeoutMs: 900 });
    await client.getBalance({});
    await client.getBalance({}, { timeoutMs: 2_000 });
    expect(told.map(({ timeoutMs }) => timeoutMs)).toEqual([900, 2_000]);
  });

  test("never exceeds what the caller has left", async () => {
    const { told, client } = startClient();
    const outer = deadlineSignal(800, new AbortController().signal);
    await client.getBalance({}, { signal: outer, timeoutMs: 2_000 });
    await client.getBalance({}, { signal: deadlineSignal(60_000, outer) });
    await client.getBalance({}, { signal: deadlineSignal(60_000, outer), timeoutMs: 5 });
    const [first = 0, second = 0, third] = told.map(({ timeoutMs }) => timeoutMs);
    expect(first).toBeLessThanOrEqual(800);
    expect(second).toBeLessThanOrEqual(first);
    expect(third).toBe(5);
  });

  test("is an hour at most, and a number", async () => {
    const { told, client } = startClient();
    await client.getBalance({ memberId: "m-1" }, { timeoutMs: Infinity });
    expect(told[0]?.timeoutMs).toBe(3_600_000);
    const call = client.getBalance({ memberId: "m-1" }, { timeoutMs: NaN });
    await expect(call).rejects.toThrow(RangeError);
  });

  test("ends a call that gets no answer, as a 502", async () => {
    const { client } = startClient({ getBalance: hang });
    const failure = await failureOf(client.getBalance({}, { timeoutMs: 5 }));
    expect(failure).toMatchObject({ status: 502, cause: { status: "DEADLINE_EXCEEDED" } });
  });

  test("of several calls ends them all, and begins no further one", async () => {
    const { told, client } = startClient({ getBalance: hang });
    const signal = deadlineSignal(5);
    const failures = [client.getBalance({}, { signal }), client.getBalance({}, { signal })];
    for (const failure of failures) expect(await failureOf(failure)).toMatchObject({ status: 502 });
    await expect.poll(() => signal.aborted).toBe(true);
    expect(await failureOf(client.getBalance({}, { signal }))).toMatchObject({ status: 502 });
    expect(told).toHaveLength(2);
  });
});

test("a caller that goes away ends the call with its own reason", async () => {
  const { client } = startClient({ getBalance: hang });
  const caller = new AbortController();
  const call = client.getBalance({}, { signal: caller.signal });
  const reason = new Error("the client left");
  caller.abort(reason);
  expect(await failureOf(call)).toBe(reason);
});

describe("a failure", () => {
  test.each<[GrpcStatus, string, number]>([
    ["UNAVAILABLE", "OVERLOADED", 503],
    ["RESOURCE_EXHAUSTED", "OVERLOADED", 503],
    ["CANCELLED", "OVERLOADED", 503],
    ["DEADLINE_EXCEEDED", "EXTERNAL_SERVICE_ERROR", 502],
    ["NOT_FOUND", "EXTERNAL_SERVICE_ERROR", 502],
    ["UNAUTHENTICATED", "EXTERNAL_SERVICE_ERROR", 502],
    ["INTERNAL", "EXTERNAL_SERVICE_ERROR", 502],
  ])("with %s is a %s, and gives nothing away", async (status, code, http) => {
    const { client } = startClient({ getBalance: refuse(status) });
    const failure = await failureOf(client.getBalance({}));
    expect(failure).toMatchObject({ code, status: http, cause: { status } });
    expect(failure.message).not.toContain("row 17");
  });

  test("says when to come back where that may help", () => {
    expect(grpcFailure(new GrpcError("UNAVAILABLE", "")).headers["Retry-After"]).toMatch(/^[1-3]$/);
    expect(grpcFailure(new GrpcError("INTERNAL", "")).headers).toEqual({});
  });

  test("is what the route makes of it, for the status that it names", async () => {
    const { client } = startClient({ getBalance: refuse("NOT_FOUND") });
    const own = new AppError("NOT_FOUND", "There is no such member");
    const named = client.getBalance({}).catch(onStatus("NOT_FOUND", () => own));
    const other = client.getBalance({}).catch(onStatus("ABORTED", () => own));
    expect(await failureOf(named)).toBe(own);
    expect(await failureOf(other)).toMatchObject({ status: 502 });
  });

  test("that is not the server's stays what it is", async () => {
    const odd = new Error("odd");
    const channel = { ...memoryChannel(BalanceService, {}), call: () => Promise.reject(odd) };
    const client = createGrpcClient(BalanceService, channel);
    expect(await failureOf(client.getBalance({}))).toBe(odd);
  });

  test("with a number that gRPC does not have is UNKNOWN", () => {
    expect([statusOf(5), statusOf(99)]).toEqual(["NOT_FOUND", "UNKNOWN"]);
  });
});

test("calls are measured by method and status, for all clients in one metric", async () => {
  const metrics = new Registry();
  await startClient({ metrics }).client.getBalance({});
  await failureOf(startClient({ metrics, getBalance: refuse("NOT_FOUND") }).client.getBalance({}));
  const text = await metrics.metrics();
  const labels = 'service="fetch.members.v1.BalanceService",method="GetBalance"';
  for (const status of ["OK", "NOT_FOUND"]) {
    expect(text).toContain(
      `grpc_client_call_duration_seconds_count{${labels},status="${status}"} 1`,
    );
  }
});

test("a call has a span within a trace, and none outside of one", async () => {
  const exporter = new InMemorySpanExporter();
  const settings = loadSettings({});
  const log = createLogger(settings, { write() {} });
  const processors = [new SimpleSpanProcessor({ exporter })];
  await using _telemetry = startTelemetry(settings, log, new Registry(), processors);
  const { told, client } = startClient();
  await client.getBalance({});
  await inSpan("work", {}, async () => {
    await client.getBalance({});
    const { client: failing } = startClient({ getBalance: refuse("ABORTED") });
    await failureOf(failing.getBalance({}));
  });
  const [good, bad, work, ...others] = exporter.getFinishedSpans();
  expect(others).toEqual([]);
  expect(good).toMatchObject({
    name: "fetch.members.v1.BalanceService/GetBalance",
    kind: 2,
    parentSpanContext: { spanId: work!.spanContext().spanId },
    attributes: {
      "rpc.system": "grpc",
      "rpc.service": "fetch.members.v1.BalanceService",
      "rpc.method": "GetBalance",
    },
  });
  expect(told[1]?.metadata["traceparent"]).toContain(good!.spanContext().spanId);
  expect(bad).toMatchObject({
    status: { code: 2 },
    attributes: { "rpc.response.status_code": "ABORTED" },
  });
  expect(trace.getActiveSpan()).toBeUndefined();
});
