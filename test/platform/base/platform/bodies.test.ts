import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text as readAll } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { dependency } from "../../src/platform/depends.ts";
import { AppError } from "../../src/platform/errors.ts";
import { rawBody } from "../../src/platform/raw-body.ts";
import { defineRoute, type Route } from "../../src/platform/route.ts";
import { errorOf } from "../support.ts";
import { observedApp, type ObservedApp } from "./observed-app.ts";

const json = { "content-type": "application/json" };

function echo(body: z.ZodType, path = "/echo"): Route {
  return defineRoute({
    method: "POST",
    path,
    summary: "Echo",
    body,
    responses: { 200: z.unknown() },
    handler: (input: { body: unknown }) => (input.body === undefined ? "nothing" : input.body),
  });
}

async function post(
  payload: string | Uint8Array | undefined,
  headers: Record<string, string> = json,
  schema: z.ZodType = z.unknown(),
) {
  await using app = await observedApp({ routes: [echo(schema)] });
  const response = await app.inject({ method: "POST", url: "/echo", headers, payload });
  await app.check(response, { status: response.statusCode, method: "POST", route: "/echo" });
  return response;
}

describe("the media type", () => {
  test.each([
    "application/json",
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "application/json;charset=UTF-8",
    "application/merge-patch+json",
    "application/vnd.api+json; version=1",
    "application/problem+json",
  ])("%s is JSON", async (type) => {
    const response = await post('{"a":1}', { "content-type": type });
    expect([response.statusCode, response.body]).toEqual([200, '{"a":1}']);
  });

  test.each([
    "text/plain",
    "text/json",
    "application/jsonp",
    "application/x-json",
    "application/json-seq",
    "application/+json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "///",
    "json",
  ])("%s is not", async (type) => {
    const response = await post('{"a":1}', { "content-type": type });
    expect([response.statusCode, errorOf(response).code]).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
  });

  test("must be there with a body", async () => {
    expect((await post('{"a":1}', {})).statusCode).toBe(415);
  });

  test.each(["gzip", "br", "deflate", "zstd", "x-own"])(
    "%s is no encoding that is taken",
    async (encoding) => {
      const response = await post(gzipSync("{}"), { ...json, "content-encoding": encoding });
      expect([response.statusCode, errorOf(response).code]).toEqual([
        415,
        "UNSUPPORTED_MEDIA_TYPE",
      ]);
    },
  );

  test("identity is one", async () => {
    expect((await post("{}", { ...json, "content-encoding": "identity" })).statusCode).toBe(200);
  });
});

describe("a body that is not there", () => {
  const optional = z.object({ a: z.number() }).optional();

  test.each([
    ["with a type and a length", { ...json, "content-length": "0" }],
    ["with a type alone", json],
    ["with nothing", {}],
    ["in no chunks", { ...json, "transfer-encoding": "chunked" }],
  ])("%s is undefined to an optional schema", async (_name, headers) => {
    const response = await post(undefined, headers, optional);
    expect([response.statusCode, response.json()]).toEqual([200, "nothing"]);
  });

  test("is not null, and null is not one", async () => {
    expect((await post("null", json, optional)).statusCode).toBe(400);
    expect((await post("", json, z.null())).statusCode).toBe(400);
    expect((await post("null", json, z.null())).body).toBe("null");
  });

  test("is a missing field to any other", async () => {
    const response = await post("", json, z.object({ a: z.number() }));
    expect(errorOf(response)).toMatchObject({
      code: "VALIDATION_ERROR",
      details: [{ field: "body", message: "Field required" }],
    });
  });
});

describe("JSON", () => {
  test.each([
    ["no JSON", "{"],
    ["a single quote", "{'a':1}"],
    ["two values", "1 2"],
    ["blanks alone", "  "],
    ["invalid UTF-8", Buffer.from([0x22, 0xff, 0x22])],
    ["a cut character", Buffer.from([0x22, 0xc3, 0x22])],
    ["a surrogate in UTF-8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ["UTF-16", Buffer.from('{"a":1}', "utf16le")],
    ["a key that changes prototypes", '{"__proto__":{"a":1}}'],
    ["another one", '{"constructor":{"prototype":{"a":1}}}'],
  ])("with %s is refused", async (_name, payload) => {
    const response = await post(payload);
    expect([response.statusCode, errorOf(response).details]).toEqual([
      400,
      [{ field: "body", message: "must be valid JSON" }],
    ]);
  });

  test.each(["null", "1", '"é😀"', "[]", "false", '{"a":"\\u00e9"}', ' {"a" : 1} ', "\uFEFF{}"])(
    "%s is taken",
    async (payload) => {
      const response = await post(payload);
      expect([response.statusCode, response.json()]).toEqual([
        200,
        JSON.parse(payload.replace("\uFEFF", "")),
      ]);
    },
  );

  test.each([
    ["in lists", "[", "]"],
    ["in objects", '{"a":', "}"],
  ])(
    "nested a hundred thousand deep %s does not bring the worker down",
    async (_name, open, close) => {
      const depth = 100_000;
      const payload = open.repeat(depth) + "1" + close.repeat(depth);
      type Nested = { a?: Nested | undefined };
      const nested: z.ZodType<Nested> = z.lazy(() => z.object({ a: nested.optional() }));
      const lists: z.ZodType = z.lazy(() => z.array(z.union([lists, z.number()])));
      for (const schema of [nested, lists, z.json()]) {
        const response = await post(payload, json, schema);
        expect(response.statusCode).toBe(400);
        expect(response.body.length).toBeLessThan(10_000);
      }
    },
  );
});

test("asynchronous refinements and transformations", async () => {
  const schema = z.object({
    name: z
      .string()
      .refine(async (name) => name !== "taken", "is taken")
      .transform(async (name) => name.toUpperCase()),
    age: z.coerce.number(),
  });
  const response = await post('{"name":"a","age":"7"}', json, schema);
  expect(response.json()).toEqual({ name: "A", age: 7 });
  const refused = await post('{"name":"taken","age":1}', json, schema);
  expect(errorOf(refused).details).toEqual([{ field: "body.name", message: "is taken" }]);
});

/** A connection to the app with the head of a request on it. */
function connectTo(app: ObservedApp, head: string): Socket {
  const { port } = new URL(app.url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.write(`${head}\r\nHost: a.example\r\nConnection: close\r\nX-Request-ID: r-raw\r\n\r\n`);
  return socket;
}

test("a body in chunks of one byte costs no more than its size", async () => {
  const size = 100_000;
  await using app = await observedApp({
    routes: [echo(z.string().transform((text) => text.length))],
  });
  const socket = connectTo(
    app,
    "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked",
  );
  const answer = readAll(socket);
  const chunk = "1\r\nx\r\n".repeat(1_000);
  const before = process.memoryUsage();
  let most = 0;
  socket.write('1\r\n"\r\n');
  for (let sent = 0; sent < size; sent += 1_000) {
    if (!socket.write(chunk)) await once(socket, "drain");
    await delay(0);
    const { arrayBuffers, external } = process.memoryUsage();
    most = Math.max(most, arrayBuffers - before.arrayBuffers, external - before.external);
  }
  socket.write('1\r\n"\r\n0\r\n\r\n');
  expect(await answer).toMatch(/\r\n\r\n100000$/);
  // A chunk that is kept by itself holds on to the buffer of the socket it came in, 64 KiB.
  expect(most).toBeLessThan(20_000_000);
});

describe("Expect: 100-continue", () => {
  const guard = dependency({
    open() {
      throw new AppError("AUTH_ERROR", "Who are you?");
    },
  });
  const reading = echo(z.object({ a: z.number() }));
  const routes = [
    reading,
    { ...echo(z.unknown(), "/guarded"), depends: { guard } },
    defineRoute({
      method: "POST",
      path: "/raw",
      summary: "Raw",
      body: rawBody({ limit: 100, contentTypes: ["image/png"] }),
      responses: { 200: z.object({ bytes: z.int() }) },
      async handler({ body }) {
        let count = 0;
        for await (const part of body) count += (part as Buffer).length;
        return { bytes: count };
      },
    }),
    defineRoute({
      method: "POST",
      path: "/unread",
      summary: "Unread",
      responses: { 200: z.object({}) },
      handler: () => ({}),
    }),
  ];

  test.each([
    ["an unknown path", "/nowhere", "application/json", 7, 404],
    ["a wrong type", "/echo", "text/plain", 7, 415],
    ["a body that is too large", "/echo", "application/json", 1_048_577, 413],
    ["who may not call", "/guarded", "application/json", 7, 401],
    ["raw bytes of a wrong type", "/raw", "image/gif", 7, 415],
    ["too many raw bytes", "/raw", "image/png", 101, 413],
    ["a handler that does not read", "/unread", "application/json", 7, 200],
  ])("%s is answered without a 100", async (_name, path, type, length, status) => {
    await using app = await observedApp({ routes });
    const socket = connectTo(
      app,
      `POST ${path} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Type: ${type}\r\nContent-Length: ${length}`,
    );
    const answer = await readAll(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    const route = status === 404 ? "" : path;
    await app.check(undefined, { status, method: "POST", route, requestId: "r-raw" });
  });

  test.each([
    ["JSON", "/echo", "application/json", '{"a":1}'],
    ["raw bytes", "/raw", "image/png", '{"a":1}'],
  ])("%s that somebody reads gets its 100 first", async (_name, path, type, body) => {
    await using app = await observedApp({ routes });
    const socket = connectTo(
      app,
      `POST ${path} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}`,
    );
    const [first] = await once(socket, "data");
    expect(String(first)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    const answer = readAll(socket);
    socket.write(body);
    expect(await answer).toMatch(/^HTTP\/1.1 200 /);
    await app.check(undefined, { status: 200, method: "POST", route: path, requestId: "r-raw" });
  });

  test("a body that its schema refuses got its 100", async () => {
    await using app = await observedApp({ routes });
    const socket = connectTo(
      app,
      "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2",
    );
    await once(socket, "data");
    const answer = readAll(socket);
    socket.write("{}");
    expect(await answer).toMatch(/^HTTP\/1.1 400 /);
  });
});

test("a client that leaves half-way through its body is one 499", async () => {
  await using app = await observedApp({ routes: [echo(z.unknown())] });
  const socket = connectTo(
    app,
    "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100",
  );
  socket.write('{"a"');
  await expect.poll(() => app.service.requestsInFlight()).toEqual(["r-raw"]);
  socket.destroy();
  await app.check(undefined, { status: 499, method: "POST", route: "/echo", requestId: "r-raw" });
  await delay(20);
  expect(app.logs.filter(({ level }) => level === "error")).toEqual([]);
});
