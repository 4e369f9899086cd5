import { context, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { Registry } from "@prometheus-io/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { createLogger } from "../../../src/platform/logging.ts";
import { TableRepository } from "../../../src/platform/dynamodb/table-repository.ts";
import { openTable, type Table } from "../../../src/platform/dynamodb/table.ts";
import { AppError } from "../../../src/platform/errors.ts";
import { SettingsError } from "../../../src/platform/settings.ts";
import { startTelemetry } from "../../../src/platform/observability/telemetry.ts";
import { loadSettings } from "../../../src/settings.ts";
import { type Answer, type Call, startFakeServer } from "./fake-server.ts";

const settings = {
  ENVIRONMENT: "dev",
  SERVICE_NAME: "svc",
  VERSION: "1.2.3",
  AWS_REGION: "eu-west-1",
};
const schema = z.object({ text: z.string() });

beforeEach(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "id");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
});
afterEach(() => vi.unstubAllEnvs());

/** The repository of memos, in front of a server that says what it is told to. */
async function withServer(answer: (call: Call, count: number) => Answer | Promise<Answer>) {
  const server = await startFakeServer(answer);
  const metrics = new Registry();
  const logs: Record<string, unknown>[] = [];
  const log = createLogger(
    { ...settings, LOG_LEVEL: "debug" },
    { write: (line) => void logs.push(JSON.parse(line)) },
  );
  const table: Table = await openTable(
    { ...settings, AWS_ENDPOINT_URL_DYNAMODB: server.endpoint },
    metrics,
    log,
  );
  return {
    calls: server.calls,
    logs,
    metrics,
    table,
    memos: new TableRepository(table, { name: "memo", schema }),
    async [Symbol.asyncDispose]() {
      table.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe("a write of which the answer got lost", () => {
  const failed = { status: 400, error: "ConditionalCheckFailedException" };

  test("is no conflict with itself", async () => {
    await using world = await withServer(({ input }, count) =>
      count === 1 ? "reset" : { ...failed, Item: { write: input.Item!.write } },
    );
    expect(await world.memos.create("a", { text: "x" })).toMatchObject({ version: 1 });
    expect(world.calls).toHaveLength(2);
  });

  test("is a conflict when it was somebody else's", async () => {
    await using world = await withServer((_call, count) =>
      count === 1 ? "reset" : { ...failed, Item: { write: { S: "another" } } },
    );
    await expect(world.memos.create("a", { text: "x" })).rejects.toMatchObject({
      code: "CONFLICT",
    });
  });

  test("removed what it removed", async () => {
    await using world = await withServer((_call, count) => (count === 1 ? "reset" : {}));
    expect(await world.memos.remove("a")).toBe(true);
  });
});

describe("what goes wrong", () => {
  test.each([
    ["throttling", { status: 400, error: "ThrottlingException" }, 3, "OVERLOADED"],
    ["a broken server", { status: 500, error: "InternalServerError" }, 3, "EXTERNAL_SERVICE_ERROR"],
    ["no table", { status: 400, error: "ResourceNotFoundException" }, 1, "EXTERNAL_SERVICE_ERROR"],
    [
      "an item that is too large",
      { status: 400, error: "ValidationException", message: "Item size has exceeded the limit" },
      1,
      "PAYLOAD_TOO_LARGE",
    ],
  ])("%s is told to the caller, after as many tries as it is worth", async (...example) => {
    const [, answer, tries, code] = example;
    await using world = await withServer(() => answer);
    await expect(world.memos.create("a", { text: "x" })).rejects.toMatchObject({ code });
    expect(world.calls).toHaveLength(tries);
  });

  test("a caller who goes away ends the call", async () => {
    const gone = new AbortController();
    await using world = await withServer(() => {
      gone.abort();
      return new Promise<Answer>(() => {});
    });
    await expect(world.memos.get("a", gone.signal)).rejects.toMatchObject({
      code: "EXTERNAL_SERVICE_ERROR",
      cause: { name: "AbortError" },
    });
    expect(world.calls).toHaveLength(1);
  });

  test("a request that we made wrong is no failure of DynamoDB", async () => {
    await using world = await withServer(() => ({ status: 400, error: "ValidationException" }));
    const failure = await world.memos.get("a").catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: "ValidationException" });
    expect(failure).not.toBeInstanceOf(AppError);
  });

  test("a value without a form in DynamoDB is refused with its place, and nothing is sent", async () => {
    await using world = await withServer(() => ({}));
    const dated = new TableRepository(world.table, {
      name: "dated",
      schema: z.object({ at: z.date(), tags: z.set(z.string()).optional() }),
    });
    await expect(dated.create("a", { at: new Date() })).rejects.toThrow("data.at is a Date");
    expect(world.calls).toEqual([]);
  });

  test("a broken item is left out of its page, logged with its key and counted", async () => {
    const item = (sk: string, data: object) => ({
      pk: { S: "memo" },
      sk: { S: sk },
      version: { N: "1" },
      data: { M: data },
    });
    const Items = [item("a", { text: { S: "x" } }), item("b", {}), item("c", { text: { S: "y" } })];
    await using world = await withServer(() => ({ Items }));
    const { items } = await world.memos.list({ limit: 10 });
    expect(items.map(({ id }) => id)).toEqual(["a", "c"]);
    expect(world.logs).toMatchObject([
      { id: "b", entity: "memo", message: "a stored item breaks its schema: left out" },
    ]);
    const { values } = await world.metrics.getSingleMetric("dynamodb_broken_items_total")!.get();
    expect(values).toMatchObject([{ value: 1, labels: { entity: "memo" } }]);
  });

  test("what a batch leaves out is sent again", async () => {
    const rest = { "dev-svc": [{ DeleteRequest: { Key: { pk: { S: "memo" }, sk: { S: "b" } } } }] };
    await using world = await withServer((_call, count) =>
      count === 1 ? { UnprocessedItems: rest } : {},
    );
    await world.memos.removeMany(["a", "b"]);
    expect(world.calls.map(({ operation }) => operation)).toEqual([
      "BatchWriteItem",
      "BatchWriteItem",
    ]);
    expect(world.calls[1]?.input).toMatchObject({ RequestItems: rest });
  });

  test("an item that breaks the schema is not given out", async () => {
    const Item = { pk: { S: "memo" }, sk: { S: "a" }, version: { N: "1" }, data: { M: {} } };
    await using world = await withServer(() => ({ Item }));
    await expect(world.memos.get("a")).rejects.toThrow("the stored memo a breaks its schema");
  });
});

test("the check reads, and says what is missing", async () => {
  await using up = await withServer(() => ({}));
  await up.table.check();
  expect(up.calls).toMatchObject([{ operation: "GetItem", input: { TableName: "dev-svc" } }]);
  await using down = await withServer(() => ({ status: 400, error: "ResourceNotFoundException" }));
  await expect(down.table.check()).rejects.toMatchObject({ name: "ResourceNotFoundException" });
});

test("deployed, cursors need a key of their own", async () => {
  const deployed = { ...settings, ENVIRONMENT: "stage" };
  await expect(openTable(deployed, new Registry())).rejects.toThrow(SettingsError);
  const PAGE_CURSOR_KEY = "k".repeat(32);
  const table = await openTable({ ...deployed, PAGE_CURSOR_KEY }, new Registry());
  expect(table.name).toBe("stage-svc");
  table.close();
});

describe("telemetry", () => {
  const whole = loadSettings({ SERVICE_NAME: "svc" });
  const log = createLogger(whole, { write() {} });

  test("a call is a span of the trace at hand, with what the conventions ask for", async () => {
    const exporter = new InMemorySpanExporter();
    await using _telemetry = startTelemetry(whole, log, new Registry(), [
      new SimpleSpanProcessor({ exporter }),
    ]);
    await using world = await withServer((_call, count) => (count === 1 ? "reset" : {}));
    const parent = trace.getTracer("test").startSpan("parent");
    await context.with(trace.setSpan(context.active(), parent), () => world.memos.get("a"));
    expect(exporter.getFinishedSpans()).toMatchObject([
      {
        name: "DynamoDB.GetItem",
        parentSpanContext: { spanId: parent.spanContext().spanId },
        attributes: {
          "rpc.system": "aws-api",
          "rpc.service": "DynamoDB",
          "rpc.method": "GetItem",
          "cloud.region": "eu-west-1",
          "db.system.name": "aws.dynamodb",
          "db.operation.name": "GetItem",
          "aws.dynamodb.table_names": ["dev-svc"],
          "aws.request_id": "request-2",
          "http.response.status_code": 200,
        },
      },
    ]);
  });

  test("a call that fails says why", async () => {
    const exporter = new InMemorySpanExporter();
    await using _telemetry = startTelemetry(whole, log, new Registry(), [
      new SimpleSpanProcessor({ exporter }),
    ]);
    await using world = await withServer(() => ({
      status: 400,
      error: "ResourceNotFoundException",
    }));
    const parent = trace.getTracer("test").startSpan("parent");
    await expect(
      context.with(trace.setSpan(context.active(), parent), () => world.memos.get("a")),
    ).rejects.toMatchObject({ code: "EXTERNAL_SERVICE_ERROR" });
    expect(exporter.getFinishedSpans()).toMatchObject([
      { attributes: { "error.type": "ResourceNotFoundException" }, status: { code: 2 } },
    ]);
  });

  test("a check has no span", async () => {
    const exporter = new InMemorySpanExporter();
    await using _telemetry = startTelemetry(whole, log, new Registry(), [
      new SimpleSpanProcessor({ exporter }),
    ]);
    await using world = await withServer(() => ({}));
    await world.table.check();
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  test("calls are counted by operation and outcome", async () => {
    await using world = await withServer(({ operation }) =>
      operation === "GetItem" ? {} : { status: 400, error: "ResourceNotFoundException" },
    );
    await world.memos.get("a");
    await world.memos.list({ limit: 1 }).catch(() => {});
    const lines = (await world.metrics.metrics()).split("\n");
    const count = /^aws_client_call_duration_seconds_count(.*)$/;
    expect(lines.flatMap((line) => count.exec(line)?.[1] ?? [])).toEqual([
      '{service="DynamoDB",operation="GetItem",outcome="ok"} 1',
      '{service="DynamoDB",operation="Query",outcome="ResourceNotFoundException"} 1',
    ]);
  });
});
