import { describe, expect, test } from "vitest";
import { z } from "zod";
import { AppError } from "../../src/platform/errors.ts";
import { type Method, defineRoute, reply } from "../../src/platform/route.ts";
import { createTestApp, errorOf, type TestRequest } from "../support.ts";

const anything = z.record(z.string(), z.unknown());
const json = { "content-type": "application/json" };

/** A route that answers with what it was handed. */
const echo = (method: Method, path: string, withBody = method === "POST") =>
  defineRoute({
    method,
    path,
    summary: `${method} ${path}`,
    params: anything,
    query: anything,
    ...(withBody ? { body: z.unknown() } : {}),
    responses: { 200: z.unknown() },
    handler: ({ params, query, body }) => ({ path, params, query, body }),
  });

const routes = [
  echo("GET", "/items/{id}"),
  echo("GET", "/items/fixed"),
  echo("GET", "/items/{id}/parts/{part}"),
  echo("DELETE", "/items/{id}"),
  echo("POST", "/echo"),
  echo("GET", "/search", true),
];

async function ask(request: TestRequest) {
  await using app = await createTestApp({ routes });
  return app.inject(request);
}

describe("a path", () => {
  test.each([
    ["/items/a%20b", { id: "a b" }],
    ["/items/a%2Fb", { id: "a/b" }],
    ["/items/a%252Fb", { id: "a%2Fb" }],
    ["/items/caf%C3%A9", { id: "café" }],
    ["/items/a+b", { id: "a+b" }],
    ["/%69tems/1", { id: "1" }],
    [`/items/${"x".repeat(1_024)}`, { id: "x".repeat(1_024) }],
    ["/items/1/parts/%25", { id: "1", part: "%" }],
  ])("%s has its parameters decoded, once", async (url, params) => {
    expect((await ask({ method: "GET", url })).json()).toMatchObject({ params });
  });

  test("with fixed text comes before one with a parameter, whatever the order", async () => {
    expect((await ask({ method: "GET", url: "/items/fixed" })).json()).toMatchObject({
      path: "/items/fixed",
    });
  });

  test.each([
    { method: "DELETE", url: "/items/fixed", allow: "GET, HEAD" },
    { method: "PUT", url: "/items/fixed", allow: "GET, HEAD" },
    { method: "DELETE", url: "/items/1/parts/2", allow: "GET, HEAD" },
  ] as const)(
    "with fixed text keeps its methods from one with a parameter: $method $url",
    async ({ method, url, allow }) => {
      const headers = { "content-type": "text/plain" };
      const response = await ask({ method, url, headers, payload: "no matter what" });
      expect([response.statusCode, response.headers.allow]).toEqual([405, allow]);
    },
  );

  test.each([
    "/items",
    "/items/",
    "/items/1/",
    "//items/1",
    "/ITEMS/1",
    "/items//parts/1",
    "/items/1/parts/",
    `/items/${"x".repeat(1_025)}`,
  ])("%s is another one", async (url) => {
    const response = await ask({ method: "GET", url });
    expect([response.statusCode, errorOf(response).code]).toEqual([404, "NOT_FOUND"]);
  });

  test("stands for one route only", async () => {
    const twice = [echo("GET", "/items/{id}"), echo("GET", "/items/{name}")];
    await expect(createTestApp({ routes: twice })).rejects.toThrow(/GET.*\/items\//);
  });
});

test.each([
  ["a=1&a=2&b=3", { a: ["1", "2"], b: "3" }],
  ["a=%20+x", { a: "  x" }],
  ["a", { a: "" }],
  ["a[b]=1&c.d=2", { "a[b]": "1", "c.d": "2" }],
  ["a=%zz", { a: "%zz" }],
  ["constructor=1", { constructor: "1" }],
])("the query %s is taken apart", async (query, expected) => {
  const { query: got } = (await ask({ method: "GET", url: `/items/1?${query}` })).json();
  expect(got).toEqual(expected);
});

describe("a body", () => {
  test.each([
    ["null", null],
    ['"text"', "text"],
    ["[1]", [1]],
    ["\uFEFF{}", {}],
    ['{"constructor":1}', { constructor: 1 }],
  ])("%s is JSON", async (payload, body) => {
    const response = await ask({ method: "POST", url: "/echo", headers: json, payload });
    expect(response.json()).toMatchObject({ body });
  });

  test.each([
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "application/json ; charset=latin1",
    "application/problem+json",
  ])("of type %s is UTF-8", async (type) => {
    const headers = { "content-type": type };
    const response = await ask({ method: "POST", url: "/echo", headers, payload: '"é"' });
    expect(response.json()).toMatchObject({ body: "é" });
  });

  test.each(["text/json", "application/jsonx", "application/+json", "application", ""])(
    "of type '%s' is refused",
    async (type) => {
      const headers = { "content-type": type };
      const response = await ask({ method: "POST", url: "/echo", headers, payload: "{}" });
      expect(response.statusCode).toBe(415);
    },
  );

  test.each([
    ["of bytes that are not UTF-8", json, Buffer.from([0x22, 0xe9, 0x22])],
    ["polluting by constructor", json, '{"constructor":{"prototype":{"x":1}}}'],
    ["polluting deep inside", json, '{"a":[{"__proto__":{"x":1}}]}'],
    ["polluting with escapes", json, '{"\\u005f_proto__":1}'],
    ["of blanks", json, " "],
  ])("%s is refused", async (_name, headers, payload) => {
    const response = await ask({ method: "POST", url: "/echo", headers, payload });
    expect(response.statusCode).toBe(400);
    expect(errorOf(response).details).toEqual([{ field: "body", message: "must be valid JSON" }]);
  });

  test("compressed is refused", async () => {
    const headers = { ...json, "content-encoding": "gzip" };
    const payload = Buffer.from([0x1f, 0x8b, 0x08]);
    expect((await ask({ method: "POST", url: "/echo", headers, payload })).statusCode).toBe(415);
  });

  test.each(["", "{", "{}"])(
    "'%s' is not looked at where a route declares none",
    async (payload) => {
      const response = await ask({ method: "DELETE", url: "/items/1", headers: json, payload });
      expect([response.statusCode, response.json().params]).toEqual([200, { id: "1" }]);
      expect(response.json()).not.toHaveProperty("body");
    },
  );

  test("is read where a GET declares one", async () => {
    const found = await ask({ method: "GET", url: "/search", headers: json, payload: '{"a":1}' });
    expect(found.json()).toMatchObject({ body: { a: 1 } });
    const bad = await ask({ method: "GET", url: "/search", headers: json, payload: "{" });
    expect(bad.statusCode).toBe(400);
  });

  test("is not read where there is no such route or method", async () => {
    const wrong = { headers: json, payload: "{" };
    const nowhere = await ask({ method: "POST", url: "/nowhere", ...wrong });
    expect(nowhere.statusCode).toBe(404);
    const method = await ask({ method: "POST", url: "/items/1", ...wrong });
    expect([method.statusCode, method.headers.allow]).toEqual([405, "DELETE, GET, HEAD"]);
  });

  test("of a refused request counts for its route", async () => {
    await using app = await createTestApp({ routes });
    await app.inject({ method: "POST", url: "/echo", headers: json, payload: "{" });
    expect(app.logs.at(-1)).toMatchObject({ route: "/echo", status: 400 });
  });
});

describe("an answer", () => {
  const answering = (handler: () => unknown) =>
    defineRoute({
      method: "GET",
      path: "/answers",
      summary: "Answer",
      responses: { 200: z.unknown(), 204: z.undefined() },
      handler,
    });

  async function answer(handler: () => unknown) {
    await using app = await createTestApp({ routes: [answering(handler)] });
    return app.inject({ method: "GET", url: "/answers" });
  }

  test("has no header that nobody asked for", async () => {
    const { headers } = await answer(() => ({ name: "é" }));
    expect(headers).toEqual({
      "x-request-id": expect.any(String),
      "x-correlation-id": headers["x-request-id"],
      "x-content-type-options": "nosniff",
      "content-type": "application/json",
      "content-length": "13",
      date: expect.any(String),
      connection: "close",
    });
  });

  test("without content has no length either", async () => {
    const { headers } = await answer(() => reply(204, undefined));
    expect(headers).not.toHaveProperty("content-length");
    expect(headers).not.toHaveProperty("content-type");
  });

  test.each([
    ["a reply", () => reply(200, {}, { location: "/a\r\nset-cookie: x" })],
    [
      "an error",
      () => {
        throw new AppError("CONFLICT", "it exists", { headers: { location: "/好" } });
      },
    ],
  ])("with a header that cannot be sent is a 500: %s", async (_name, handler) => {
    const response = await answer(handler);
    expect(response.statusCode).toBe(500);
    expect(response.headers).not.toHaveProperty("location");
  });
});
