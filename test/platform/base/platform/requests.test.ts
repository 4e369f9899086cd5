import { connect } from "node:net";
import { text as readAll } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineRoute, reply, type Route } from "../../src/platform/route.ts";
import { createTestApp, type ErrorAnswer } from "../support.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const health = { method: "GET", url: "/health" } as const;

describe("request and correlation ids", () => {
  test("sane ones are kept", async () => {
    await using app = await createTestApp();
    const headers = { "x-request-id": "a.B_c-1", "x-correlation-id": "order-7" };
    const response = await app.inject({ ...health, headers });
    expect(response.headers).toMatchObject(headers);
  });

  test.each([
    ["none", {}],
    ["an empty one", { "x-request-id": "" }],
    ["one with a blank", { "x-request-id": "a b" }],
    ["one that would forge a log line", { "x-request-id": 'a"}{"level":"fatal' }],
    ["one of 129 characters", { "x-request-id": "x".repeat(129) }],
    ["two of them", { "x-request-id": ["a", "b"] }],
  ])("%s is replaced by a UUID", async (_name, headers) => {
    await using app = await createTestApp();
    const response = await app.inject({ ...health, headers });
    expect(response.headers["x-request-id"]).toMatch(UUID);
    expect(response.headers["x-correlation-id"]).toBe(response.headers["x-request-id"]);
  });

  test("stand in every log line of the request, also after waiting", async () => {
    const route = defineRoute({
      method: "GET",
      path: "/slow",
      summary: "Wait",
      responses: { 200: z.object({}) },
      async handler({ log }) {
        await delay(1);
        log.info("working");
        return {};
      },
    });
    await using app = await createTestApp({ routes: [route] });
    await Promise.all(
      ["r-1", "r-2"].map((id) =>
        app.inject({ method: "GET", url: "/slow", headers: { "x-request-id": id } }),
      ),
    );
    const lines = app.logs.map(
      ({ request_id, message }) => `${String(request_id)} ${String(message)}`,
    );
    expect(lines.toSorted()).toEqual([
      "r-1 request completed",
      "r-1 working",
      "r-2 request completed",
      "r-2 working",
    ]);
  });
});

test("requests that share a packet, or have a body in two, log their own ids", async () => {
  const route = defineRoute({
    method: "POST",
    path: "/slow",
    summary: "Wait",
    body: z.object({}),
    responses: { 200: z.object({}) },
    async handler({ log }) {
      log.info("begun");
      await delay(1);
      log.info("working");
      return {};
    },
  });
  await using app = await createTestApp({ routes: [route] });
  const head = (id: string): string =>
    `POST /slow HTTP/1.1\r\nHost: a.example\r\nX-Request-ID: ${id}\r\n` +
    "Content-Type: application/json\r\nContent-Length: 2\r\n";
  const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
  socket.write(`${head("r-1")}\r\n{}${head("r-2")}\r\n{}${head("r-3")}\r\n{`);
  await expect.poll(() => app.service.requestsInFlight()).toEqual(["r-3"]);
  socket.write(`}${head("r-4")}Connection: close\r\n\r\n{}`);
  await readAll(socket);
  app.service.flush();
  const linesOf = (id: string): unknown[] =>
    app.logs.filter(({ request_id }) => request_id === id).map(({ message }) => message);
  for (const id of ["r-1", "r-2", "r-3", "r-4"]) {
    expect(linesOf(id)).toEqual(["begun", "working", "request completed"]);
  }
});

test("the access line says what was asked and answered, without the query", async () => {
  await using app = await createTestApp();
  const headers = { "user-agent": "probe/1", "x-forwarded-for": "9.9.9.9, 10.0.0.7" };
  await app.inject({ method: "GET", url: "/api/v1/receipts/rules?token=secret", headers });
  expect(app.logs).toHaveLength(1);
  expect(app.logs[0]).toMatchObject({
    level: "info",
    message: "request completed",
    service_name: expect.any(String),
    environment: "dev",
    version: expect.any(String),
    method: "GET",
    path: "/api/v1/receipts/rules",
    route: "/api/v1/receipts/rules",
    status: 200,
    duration_ms: expect.any(Number),
    remote_ip: "10.0.0.7",
    user_agent: "probe/1",
    correlation_id: app.logs[0]!.request_id,
  });
  expect(JSON.stringify(app.logs)).not.toContain("secret");
});

test.each([
  ["1", "9.9.9.9, 10.0.0.7", "10.0.0.7"],
  ["1", "10.0.0.7", "10.0.0.7"],
  ["1", "2001:db8::7", "2001:db8::7"],
  ["2", "6.6.6.6, 9.9.9.9, 10.0.0.7", "9.9.9.9"],
  ["2", "10.0.0.7", "10.0.0.7"],
  ["0", "10.0.0.7", "127.0.0.1"],
  ["1", "10.0.0.7, unknown", "127.0.0.1"],
  ["1", "10.0.0.7, 1.2.3.4:80", "127.0.0.1"],
  ["1", '1.2.3.4, "><script>', "127.0.0.1"],
  ["1", ",", "127.0.0.1"],
  ["10", ",".repeat(3_000), "127.0.0.1"],
])("behind %s proxies, %s tells of %s", async (proxies, forwarded, address) => {
  await using app = await createTestApp({ env: { TRUSTED_PROXIES: proxies } });
  await app.inject({ url: "/nowhere", headers: { "x-forwarded-for": forwarded } });
  expect(app.logs.at(-1)).toMatchObject({ message: "request completed", remote_ip: address });
});

test("the access line fits into one piece of a pipe, whatever the caller sends", async () => {
  await using app = await createTestApp();
  const long = "\u00e9".repeat(3_000);
  const headers = { "user-agent": long, "x-forwarded-for": long, "x-request-id": "r".repeat(128) };
  await app.inject({ method: "GET", url: `/${"~".repeat(1_023)}?q=1`, headers });
  await app.inject({ method: "GET", url: `/${"~".repeat(3_000)}`, headers });
  const [fits, cut] = app.logs.filter(({ message }) => message === "request completed");
  expect(fits!.path).toBe(`/${"~".repeat(1_023)}`);
  expect(cut!.path).toBe(`${fits!.path as string}…`);
  expect(Buffer.byteLength(JSON.stringify(cut))).toBeLessThan(4_096);
});

test("a healthy probe writes no line", async () => {
  await using app = await createTestApp();
  await app.inject(health);
  expect(app.logs).toEqual([]);
});

test("only the probes are silent, not what begins like them", async () => {
  const route = defineRoute({
    method: "GET",
    path: "/healthplans/{id}",
    summary: "Get a plan",
    responses: { 200: z.object({}) },
    handler: () => ({}),
  });
  await using app = await createTestApp({ routes: [route] });
  await app.inject({ method: "GET", url: "/healthplans/1" });
  await app.inject({ method: "GET", url: "/health/version" });
  expect(app.logs.map(({ path }) => path)).toEqual(["/healthplans/1"]);
});

test("durations are counted by route template, method and status", async () => {
  const route = defineRoute({
    method: "GET",
    path: "/things/{id}",
    summary: "Get a thing",
    params: z.object({ id: z.coerce.number().int() }),
    responses: { 200: z.object({ id: z.number() }) },
    handler: ({ params }) => params,
  });
  await using app = await createTestApp({ routes: [route] });
  for (const url of ["/things/1", "/things/2", "/things/x", "/nowhere"])
    await app.inject({ method: "GET", url });
  const text = await app.service.metrics.registry.metrics();
  const counts = text.split("\n").filter((line) => line.includes("_seconds_count{http_request"));
  expect(counts.toSorted()).toEqual([
    'http_server_request_duration_seconds_count{http_request_method="GET",http_route="",http_response_status_code="404"} 1',
    'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/things/{id}",http_response_status_code="200"} 2',
    'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/things/{id}",http_response_status_code="400"} 1',
  ]);
  expect(text).toContain("\nhttp_server_active_requests 0\n");
});

test("requests in flight are known, and every response ends its connection once closing", async () => {
  const gate = Promise.withResolvers<void>();
  const route = defineRoute({
    method: "GET",
    path: "/gated",
    summary: "Wait",
    responses: { 200: z.object({}) },
    handler: async () => {
      await gate.promise;
      return {};
    },
  });
  await using app = await createTestApp({ routes: [route] });
  const answer = app.inject({ method: "GET", url: "/gated", headers: { "x-request-id": "r-1" } });
  await expect.poll(() => app.service.requestsInFlight()).toEqual(["r-1"]);
  app.service.beginDrain({ stopping: true });
  gate.resolve();
  expect((await answer).headers.connection).toBe("close");
  expect((await app.inject(health)).headers.connection).toBe("close");
  expect(app.service.requestsInFlight()).toEqual([]);
});

test("requests in flight are listed the oldest first, whichever ends first", async () => {
  const gates = new Map(["a", "b", "c", "d"].map((id) => [id, Promise.withResolvers<void>()]));
  const route = defineRoute({
    method: "GET",
    path: "/gated/{id}",
    summary: "Wait",
    params: z.object({ id: z.string() }),
    responses: { 200: z.object({}) },
    handler: async ({ params }) => {
      await gates.get(params.id)?.promise;
      return {};
    },
  });
  await using app = await createTestApp({ routes: [route] });
  const left = [...gates.keys()];
  const answers = new Map<string, Promise<unknown>>();
  for (const id of left) {
    const headers = { "x-request-id": id };
    answers.set(id, app.inject({ method: "GET", url: `/gated/${id}`, headers }));
    await expect.poll(() => app.service.requestsInFlight()).toContain(id);
  }
  for (const id of ["b", "a", "d", "c"]) {
    expect(app.service.requestsInFlight()).toEqual(left);
    gates.get(id)!.resolve();
    await answers.get(id);
    left.splice(left.indexOf(id), 1);
  }
  expect(app.service.requestsInFlight()).toEqual([]);
});

test("a reply has its own status and headers", async () => {
  const route = defineRoute({
    method: "PUT",
    path: "/things/{id}",
    summary: "Make a thing",
    params: z.object({ id: z.string() }),
    responses: { 201: z.object({ id: z.string() }), 204: z.undefined() },
    handler: ({ params }) =>
      params.id === "old"
        ? reply(204, undefined)
        : reply(201, { id: params.id }, { location: `/things/${params.id}` }),
  });
  await using app = await createTestApp({ routes: [route] });
  const created = await app.inject({ method: "PUT", url: "/things/a%2Fb" });
  expect(created.statusCode).toBe(201);
  expect(created.headers.location).toBe("/things/a/b");
  const kept = await app.inject({ method: "PUT", url: "/things/old" });
  expect([kept.statusCode, kept.body]).toEqual([204, ""]);
});

test("HEAD is answered like GET, without the body", async () => {
  await using app = await createTestApp();
  const response = await app.inject({ method: "HEAD", url: "/health" });
  expect([response.statusCode, response.body]).toEqual([200, ""]);
});

describe("over a real connection", () => {
  /** Sends bytes to a server of the whole service; what comes back until it closes. */
  async function answerTo(chunks: string[], routes?: Route[]): Promise<string> {
    await using app = await createTestApp(routes === undefined ? {} : { routes });
    const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
    for (const chunk of chunks) socket.write(chunk);
    const answer = await readAll(socket);
    expect(app.service.requestsInFlight()).toEqual([]);
    return answer;
  }

  test.each([
    ["no Host", ""],
    ["two Hosts", "Host: a.example\r\nHost: b.example\r\n"],
  ])("a request with %s is refused", async (_name, hosts) => {
    const answer = await answerTo([`GET /health HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`]);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"VALIDATION_ERROR"');
  });

  test("an expectation that cannot be met is refused", async () => {
    const head = "GET /health HTTP/1.1\r\nHost: a.example\r\nX-Request-ID: r-1\r\n";
    const answer = await answerTo([`${head}Expect: a-miracle\r\n\r\n`]);
    expect(answer).toMatch(/^HTTP\/1\.1 417 [\s\S]*Connection: close/);
    expect(answer).toContain('"code":"EXPECTATION_FAILED"');
    expect(answer).toContain('"request_id":"r-1"');
  });

  test.each([
    ["of a length", `Content-Length: 4\r\n\r\n`, `"{"}`],
    ["in chunks", `Transfer-Encoding: chunked\r\n\r\n`, `3\r\nGET\r\n0\r\n\r\n`],
    ["that comes later", `Content-Length: 200000\r\n\r\n`, "x".repeat(200_000)],
  ])("a body %s that no route wants leaves the connection usable", async (_name, head, body) => {
    const route = defineRoute({
      method: "DELETE",
      path: "/things",
      summary: "Drop all things",
      responses: { 204: z.undefined() },
      handler: () => undefined,
    });
    const first = `DELETE /things HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\n${head}`;
    const next = "GET /health HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    const answer = await answerTo([first, body, next], [route]);
    expect(answer).toMatch(/^HTTP\/1\.1 204 [\s\S]*\r\n\r\nHTTP\/1\.1 200 /);
  });

  test("a client that sends far too much still gets its answer", async () => {
    const length = 8 * 1_048_576;
    const head = `POST /api/v1/receipts/points HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n`;
    const type = `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    const answer = await answerTo([head + type, "x".repeat(length)]);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"PAYLOAD_TOO_LARGE"');
  });
});

test("CONNECT is refused with an answer", async () => {
  await using app = await createTestApp();
  const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
  socket.write("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  const [head, body] = (await readAll(socket)).split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 405 /);
  expect(head).toMatch(/^Connection: close$/im);
  expect(head).toMatch(/^Allow: .*GET/im);
  const { error } = JSON.parse(body!) as ErrorAnswer;
  expect(error.code).toBe("METHOD_NOT_ALLOWED");
  app.service.flush();
  expect(app.logs.at(-1)).toMatchObject({
    message: "request completed",
    method: "CONNECT",
    status: 405,
    request_id: error.request_id,
  });
  expect(app.service.requestsInFlight()).toEqual([]);
});
