import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineRoute, type Method, type Route } from "../../src/platform/route.ts";
import { observedApp } from "./observed-app.ts";

/** A route that answers its path and its parameters. */
function echo(
  path: string,
  method: Method = "GET",
  params: z.ZodType = z.record(z.string(), z.string()),
): Route {
  return defineRoute({
    method,
    path,
    summary: "Echo",
    params,
    responses: { 200: z.unknown() },
    handler: (input: { params: unknown }) => ({ path, params: input.params }),
  });
}

async function ask(routes: Route[], url: string, method = "GET") {
  await using app = await observedApp({ routes });
  const response = await app.inject({ url, method });
  const { path = "" } = response.statusCode === 200 ? response.json() : {};
  await app.check(response, { status: response.statusCode, method, route: path });
  return response;
}

describe("every character is literal", () => {
  test.each([
    ["/things:search", "/things:search"],
    ["/things:search", "/things%3Asearch"],
    ["/a*b", "/a*b"],
    ["/a*", "/a*"],
    ["/a*", "/a%2A"],
    ["/*", "/*"],
    ["/a(b)", "/a(b)"],
    ["/a(b)", "/a%28b%29"],
    ["/a(.*)", "/a(.*)"],
    ["/a+", "/a+"],
    ["/a:b*c", "/a%3ab%2ac"],
    ["/a!b", "/a!b"],
    ["/[a]", "/[a]"],
    ["/[a]", "/%5Ba%5D"],
    ["/a;b=1,2", "/a;b=1,2"],
    ["/a@b$c&d'", "/a@b$c&d'"],
    ["/a@b$c&d'", "/a%40b%24c%26d%27"],
    ["/a.b~c-d_e", "/a.b~c-d_e"],
    ["/a b", "/a%20b"],
    ["/häuser", "/h%C3%A4user"],
    ["/a^b|c", "/a%5Eb%7Cc"],
    ["/a%b", "/a%25b"],
    ["/a\\b", "/a%5Cb"],
    ["/::", "/::"],
    ["/a:b:c", "/a:b:c"],
  ])("%s takes %s", async (path, url) => {
    const response = await ask([echo(path)], url);
    expect([response.statusCode, response.json()]).toEqual([200, { path, params: {} }]);
  });

  test.each([
    ["/things:search", "/thingsx"],
    ["/things:search", "/things"],
    ["/a*b", "/axb"],
    ["/a*", "/abc"],
    ["/*", "/abc"],
    ["/a(b)", "/ab"],
    ["/a(b)", "/a"],
    ["/a+", "/aa"],
    ["/a(.*)", "/abc"],
    ["/a.b", "/axb"],
    ["/[a]", "/a"],
  ])("%s does not take %s", async (path, url) => {
    expect((await ask([echo(path)], url)).statusCode).toBe(404);
  });

  test.each([
    ["/jobs/{id}:cancel", "/jobs/7:cancel", { id: "7" }],
    ["/jobs/{id}:cancel", "/jobs/a%2Fb:cancel", { id: "a/b" }],
    ["/{a}-{b}", "/x-y", { a: "x", b: "y" }],
    ["/v{major}.{minor}", "/v1.2", { major: "1", minor: "2" }],
    // Each takes as much as it can.
    ["/{a}-{b}", "/x-y-z", { a: "x-y", b: "z" }],
    ["/{a}-{b}.{c}", "/x-y-z.w.v", { a: "x-y", b: "z.w", c: "v" }],
    ["/{a}.json", "/x.json.json", { a: "x.json" }],
    ["/files/{name}.json", "/files/a.json", { name: "a" }],
    ["/files/{name}(copy)", "/files/a(copy)", { name: "a" }],
    ["/users/@{name}", "/users/@me", { name: "me" }],
    ["/a:{b}", "/a:7", { b: "7" }],
    ["/{a}:{b}", "/x:y", { a: "x", b: "y" }],
    ["/{a}/x:y/{b}", "/1/x:y/2", { a: "1", b: "2" }],
    ["/{_a1}", "/7", { _a1: "7" }],
    ["/{a}*{b}*", "/1*2*", { a: "1", b: "2" }],
    ["/{a}", "/%3A%2F%2A%3F", { a: ":/*?" }],
    ["/{a}:x", "/a%0Ab:x", { a: "a\nb" }],
  ])("%s takes %s", async (path, url, params) => {
    const response = await ask([echo(path)], url);
    expect([response.statusCode, response.json()]).toEqual([200, { path, params }]);
  });

  test.each([
    ["/jobs/{id}:cancel", "/jobs/7"],
    ["/jobs/{id}:cancel", "/jobs/7:run"],
    ["/jobs/{id}:cancel", "/jobs/:cancel"],
    ["/jobs/{id}:cancel", "/jobs/7/8:cancel"],
    ["/files/{name}.json", "/files/a.xml"],
  ])("%s does not take %s", async (path, url) => {
    expect((await ask([echo(path)], url)).statusCode).toBe(404);
  });
});

test.each([[[0, 1, 2, 3]], [[3, 2, 1, 0]], [[1, 3, 0, 2]]])(
  "routes that begin alike are told apart, declared in order %j",
  async (order) => {
    const all = [
      echo("/jobs/{id}"),
      echo("/jobs/{id}:cancel", "POST"),
      echo("/jobs/{id}:retry", "POST"),
      echo("/jobs:search"),
    ];
    const routes = order.map((index) => all[index]!);
    expect((await ask(routes, "/jobs/7")).json().path).toBe("/jobs/{id}");
    expect((await ask(routes, "/jobs/7:cancel", "POST")).json()).toEqual({
      path: "/jobs/{id}:cancel",
      params: { id: "7" },
    });
    expect((await ask(routes, "/jobs/7:retry", "POST")).json().path).toBe("/jobs/{id}:retry");
    expect((await ask(routes, "/jobs:search")).json().path).toBe("/jobs:search");
  },
);

test.each([[[0, 1]], [[1, 0]]])(
  "text behind a parameter comes before the parameter alone, declared in order %j",
  async (order) => {
    const all = [echo("/jobs/{id}"), echo("/jobs/{id}:report")];
    const routes = order.map((index) => all[index]!);
    expect((await ask(routes, "/jobs/7:report")).json().path).toBe("/jobs/{id}:report");
    expect((await ask(routes, "/jobs/7:other")).json()).toEqual({
      path: "/jobs/{id}",
      params: { id: "7:other" },
    });
  },
);

test("a wrong method at such a path is 405", async () => {
  await using app = await observedApp({ routes: [echo("/jobs/{id}:cancel", "POST")] });
  const response = await app.inject({ url: "/jobs/7:cancel" });
  expect([response.statusCode, response.headers.allow]).toEqual([405, "POST"]);
});

test("openapi.json has the path as it was declared", async () => {
  const paths = ["/things:search", "/jobs/{id}:cancel", "/a*b", "/a(b)"];
  await using app = await observedApp({ routes: paths.map((path) => echo(path)) });
  const document = (await app.inject({ url: "/openapi.json" })).json();
  expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(paths));
});

/** What a service with these routes does not start for. */
async function failureOf(routes: Route[]): Promise<string> {
  try {
    await using _app = await observedApp({ routes });
    return "it starts";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("an error at start that names the route", () => {
  test.each([
    ["/receipts/{receipt-id}", "{receipt-id}"],
    ["/files/{path:path}", "{path:path}"],
    ["/files/{path*}", "{path*}"],
    ["/files/{}", "{}"],
    ["/files/{1a}", "{1a}"],
    ["/files/{a}/{a}", "named twice"],
    ["/files/{a}{b}", "{a}{b}"],
    ["/files/{a", "brace"],
    ["/files/a}", "brace"],
    ["/files/{{a}}", "brace"],
    ["/files?a=1", "?"],
    ["/files#a", "#"],
    ["files", "must begin with /"],
  ])("%s", async (path, text) => {
    const failure = await failureOf([echo(path)]);
    expect(failure).toContain(text);
    expect(failure).toContain(`GET ${path}`);
  });

  test("params that the path does not have", async () => {
    const params = z.object({ id: z.string(), receiptId: z.string() });
    expect(await failureOf([echo("/receipts/{id}", "GET", params)])).toContain(
      "GET /receipts/{id}: params declares receiptId",
    );
  });

  test("but params may leave one out", async () => {
    const route = echo("/receipts/{id}/{part}", "GET", z.object({ id: z.string() }));
    expect((await ask([route], "/receipts/1/2")).json().params).toEqual({ id: "1" });
  });

  test("headers that no request can have", async () => {
    const route = { ...echo("/receipts"), headers: z.object({ "X-Tenant": z.string() }) };
    expect(await failureOf([route])).toContain("GET /receipts: headers declares X-Tenant");
  });

  test.each(["params", "query"])("%s that no text can become", async (part) => {
    const route = { ...echo("/receipts/{id}"), [part]: z.object({ id: z.object({}) }) };
    expect(await failureOf([route])).toBe(
      `GET /receipts/{id}: ${part} declares id, which no text can be`,
    );
  });

  test("two routes for the same requests", async () => {
    const failure = await failureOf([echo("/receipts/{id}"), echo("/receipts/{name}")]);
    expect(failure).toMatch(/two routes for GET \/receipts\/\{(?:id|name)\}/);
  });
});
