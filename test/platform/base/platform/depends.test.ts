import { once } from "node:events";
import { request as open } from "node:http";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { createLocalJWKSet, errors, exportJWK, generateKeyPair, jwtVerify, SignJWT } from "jose";
import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { dependency, type SecurityScheme } from "../../src/platform/depends.ts";
import { AppError } from "../../src/platform/errors.ts";
import { events, stream } from "../../src/platform/responses.ts";
import { defineRoute, type Route } from "../../src/platform/route.ts";
import { errorOf } from "../support.ts";
import { observedApp, type ObservedApp } from "./observed-app.ts";

/** A dependency that notes what happens to it. */
function noted(name: string, order: string[], failsToClose = false) {
  return dependency({
    open() {
      order.push(`open ${name}`);
      return name;
    },
    close(_value, { error }) {
      order.push(`close ${name}${error === undefined ? "" : `: ${(error as Error).message}`}`);
      if (failsToClose) throw new Error(`${name} does not close`);
    },
  });
}

const anyObject = z.record(z.string(), z.unknown());

describe("values", () => {
  test("are typed, made once per request, and nested", async () => {
    let made = 0;
    const number = dependency({ open: () => (made += 1) });
    const text = dependency({
      depends: { number },
      async open({ depends }) {
        expectTypeOf(depends.number).toEqualTypeOf<number>();
        await delay(1);
        return `n${depends.number}`;
      },
    });
    const route = defineRoute({
      method: "GET",
      path: "/values",
      summary: "Values",
      depends: { number, text, again: number },
      responses: { 200: anyObject },
      handler({ depends }) {
        expectTypeOf(depends).toEqualTypeOf<{ number: number; text: string; again: number }>();
        return depends;
      },
    });
    await using app = await observedApp({ routes: [route] });
    for (const n of [1, 2]) {
      const response = await app.inject({ url: "/values" });
      expect(response.json()).toEqual({ number: n, text: `n${n}`, again: n });
      await app.check(response, { status: 200, route: "/values" });
    }
  });

  test("are made from the request, the service's dependencies and its log", async () => {
    const all = dependency({
      open({ req, headers, params, query, deps, log, signal }) {
        log.info("made");
        expect(signal.aborted).toBe(false);
        const { ENVIRONMENT } = deps.settings;
        return { method: req.method, agent: headers["user-agent"], params, query, ENVIRONMENT };
      },
    });
    const route = defineRoute({
      method: "GET",
      path: "/from/{id}",
      summary: "From",
      depends: { all },
      responses: { 200: anyObject },
      handler: ({ depends }) => depends.all,
    });
    await using app = await observedApp({ routes: [route] });
    const headers = { "user-agent": "test/1", "x-request-id": "r-made" };
    const response = await app.inject({ url: "/from/7?a=1", headers });
    expect(response.json()).toEqual({
      method: "GET",
      agent: "test/1",
      params: { id: "7" },
      query: { a: "1" },
      ENVIRONMENT: "dev",
    });
    const line = app.logs.find(({ message }) => message === "made");
    expect(line).toMatchObject({ request_id: "r-made" });
  });
});

describe("clean-up", () => {
  function routeOf(order: string[], change: Partial<Route> = {}): Route {
    const outer = noted("outer", order);
    const inner = dependency({
      depends: { outer },
      open: () => void order.push("open inner"),
      close: () => void order.push("close inner"),
    });
    return {
      ...defineRoute({
        method: "POST",
        path: "/ordered",
        summary: "In order",
        depends: { inner, outer, last: noted("last", order) },
        body: z.object({ name: z.string() }),
        responses: { 200: anyObject },
        handler() {
          order.push("handler");
          return {};
        },
      }),
      ...change,
    };
  }
  const post = { method: "POST", url: "/ordered", payload: { name: "a" } };
  const opened = ["open outer", "open inner", "open last"];

  test("in reverse order, after the answer", async () => {
    const order: string[] = [];
    await using app = await observedApp({ routes: [routeOf(order)] });
    const response = await app.inject(post);
    await app.check(response, { status: 200, method: "POST", route: "/ordered" });
    await expect
      .poll(() => order)
      .toEqual([...opened, "handler", "close last", "close inner", "close outer"]);
  });

  test("when the handler throws: the clean-up hears why", async () => {
    const order: string[] = [];
    const handler = (): never => {
      throw new AppError("CONFLICT", "taken");
    };
    await using app = await observedApp({ routes: [routeOf(order, { handler })] });
    const response = await app.inject(post);
    await app.check(response, { status: 409, method: "POST", route: "/ordered" });
    await expect
      .poll(() => order)
      .toEqual([...opened, "close last: taken", "close inner", "close outer: taken"]);
  });

  test.each([
    ["a body that its schema refuses", {}, 400],
    ["a body that is no JSON", "{", 400],
    ["a body that is too large", JSON.stringify("x".repeat(1_048_576)), 413],
  ])("for %s", async (_name, payload, status) => {
    const order: string[] = [];
    await using app = await observedApp({ routes: [routeOf(order)] });
    const headers = { "content-type": "application/json" };
    const response = await app.inject({ ...post, headers, payload });
    await app.check(response, { status, method: "POST", route: "/ordered" });
    await expect.poll(() => order.length).toBe(6);
    expect(order.slice(0, 4)).toEqual([...opened, expect.stringContaining("close last: ")]);
  });

  test("when one of them cannot be opened: those before it are closed", async () => {
    const order: string[] = [];
    const failing = dependency({
      open() {
        throw new AppError("OVERLOADED", "no connection left");
      },
      close: () => void order.push("never"),
    });
    const depends = { first: noted("first", order), failing, third: noted("third", order) };
    const route = { ...routeOf(order), depends };
    await using app = await observedApp({ routes: [route] });
    const response = await app.inject(post);
    await app.check(response, {
      status: 503,
      method: "POST",
      route: "/ordered",
      code: "OVERLOADED",
    });
    await expect.poll(() => order).toEqual(["open first", "close first: no connection left"]);
  });

  test("when the client leaves while the handler works", async () => {
    const order: string[] = [];
    const started = Promise.withResolvers<void>();
    const handler: Route["handler"] = async ({ signal }) => {
      started.resolve();
      await once(signal, "abort");
      order.push("aborted");
      return {};
    };
    await using app = await observedApp({ routes: [routeOf(order, { handler })] });
    const headers = { "content-type": "application/json", "x-request-id": "r-left" };
    const sent = open(`${app.url}/ordered`, { method: "POST", headers });
    sent.on("error", () => {});
    sent.end('{"name":"a"}');
    await started.promise;
    sent.destroy();
    await app.check(undefined, {
      status: 499,
      method: "POST",
      route: "/ordered",
      requestId: "r-left",
    });
    await expect
      .poll(() => order.includes("close outer: the client went away before the answer was sent"))
      .toBe(true);
    expect(app.logs.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("of one that is opened only after the client has left", async () => {
    const order: string[] = [];
    const opening = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const slow = dependency({
      async open() {
        opening.resolve();
        await gate.promise;
        order.push("open slow");
      },
      close: () => void order.push("close slow"),
    });
    const route = { ...routeOf(order), depends: { slow, next: noted("next", order) } };
    await using app = await observedApp({ routes: [route] });
    const headers = { "content-type": "application/json", "x-request-id": "r-left" };
    const sent = open(`${app.url}/ordered`, { method: "POST", headers });
    sent.on("error", () => {});
    sent.end('{"name":"a"}');
    await opening.promise;
    sent.destroy();
    await app.check(undefined, {
      status: 499,
      method: "POST",
      route: "/ordered",
      requestId: "r-left",
    });
    gate.resolve();
    await expect.poll(() => order).toEqual(["open slow", "close slow"]);
  });

  /** Sends the request, waits for `until`, and leaves. */
  async function leaveAfter(app: ObservedApp, until: Promise<unknown>): Promise<void> {
    const headers = { "content-type": "application/json", "x-request-id": "r-left" };
    const sent = open(`${app.url}/ordered`, { method: "POST", headers });
    sent.on("error", () => {}).on("response", (response) => response.on("error", () => {}));
    sent.end('{"name":"a"}');
    await until;
    sent.destroy();
    const left = { status: 499, method: "POST", route: "/ordered", requestId: "r-left" };
    await app.check(undefined, left);
  }

  test("waits for a handler that works on when the client has left", async () => {
    const order: string[] = [];
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const handler = async (): Promise<object> => {
      started.resolve();
      await gate.promise;
      order.push("handler");
      return {};
    };
    await using app = await observedApp({ routes: [routeOf(order, { handler })] });
    await leaveAfter(app, started.promise);
    await delay(20);
    expect(order).toEqual(opened);
    gate.resolve();
    await expect.poll(() => order.length).toBe(7);
    expect(order.slice(3, 5)).toEqual(["handler", expect.stringContaining("close last")]);
  });

  test.each([
    ["a stream", stream(), "a"],
    ["server-sent events", events(), { data: "a" }],
  ])("waits for the generator of %s when the client has left", async (_name, answer, piece) => {
    for (const isBegun of [true, false]) {
      const order: string[] = [];
      const started = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      const route = routeOf(order, {
        responses: { 200: answer },
        async *handler() {
          try {
            if (isBegun) yield piece;
            started.resolve();
            await gate.promise;
            yield piece;
          } finally {
            await delay(5);
            order.push("generator");
          }
        },
      } as never);
      await using app = await observedApp({ routes: [route] });
      await leaveAfter(app, started.promise);
      await delay(20);
      expect(order).toEqual(opened);
      gate.resolve();
      await expect.poll(() => order.length).toBe(7);
      expect(order.slice(3, 5)).toEqual(["generator", expect.stringContaining("close last")]);
    }
  });

  test("ends a stream that the handler gives after the client has left", async () => {
    const order: string[] = [];
    const started = Promise.withResolvers<void>();
    const source = new PassThrough().once("close", () => order.push("stream"));
    const handler: Route["handler"] = async ({ signal }) => {
      started.resolve();
      await once(signal, "abort");
      return source;
    };
    const route = { ...routeOf(order, { handler }), responses: { 200: stream() } };
    await using app = await observedApp({ routes: [route] });
    await leaveAfter(app, started.promise);
    await expect.poll(() => order.length).toBe(7);
    expect(order.slice(3, 5)).toEqual(["stream", expect.stringContaining("close last")]);
  });

  test("without the handler, when the client leaves while they are opened", async () => {
    const order: string[] = [];
    const opening = Promise.withResolvers<void>();
    const slow = dependency({
      async open({ signal }) {
        opening.resolve();
        await once(signal, "abort");
      },
      close: () => void order.push("close slow"),
    });
    await using app = await observedApp({ routes: [{ ...routeOf(order), depends: { slow } }] });
    await leaveAfter(app, opening.promise);
    await expect.poll(() => order).toEqual(["close slow"]);
    await delay(20);
    expect(order).toEqual(["close slow"]);
    expect(app.logs.filter(({ level }) => level === "error")).toEqual([]);
  });

  /** The app after it was closed with one request open. */
  async function closedWith(route: Route, started: Promise<unknown>): Promise<ObservedApp> {
    await using app = await observedApp({ routes: [route] });
    const headers = { "content-type": "application/json", "x-request-id": "r-cut" };
    const sent = open(`${app.url}/ordered`, { method: "POST", headers });
    sent.on("error", () => {}).on("response", (response) => response.on("error", () => {}));
    sent.end('{"name":"a"}');
    await started;
    return app;
  }
  const cut = { status: 503, method: "POST", route: "/ordered", requestId: "r-cut" };

  test.each(["a slow handler", "a handler that hangs"])(
    "of %s when the service stops",
    async (name) => {
      const order: string[] = [];
      const started = Promise.withResolvers<void>();
      const handler: Route["handler"] = async ({ signal }) => {
        started.resolve();
        if (name === "a handler that hangs") await new Promise(() => {});
        await once(signal, "abort");
        order.push("handler");
        return {};
      };
      const app = await closedWith(routeOf(order, { handler }), started.promise);
      const closes = ["last", "inner", "outer"].map((it) => expect.stringContaining(`close ${it}`));
      const hangs = name === "a handler that hangs";
      expect(order).toEqual([...opened, ...(hangs ? [] : ["handler"]), ...closes]);
      expect(order.at(-1)).toBe("close outer: the service stopped before the answer was sent");
      await app.check(undefined, cut);
      const lines = app.logs.filter((it) => "hangs" in it);
      const told = lines.map((it) => [it["hangs"], it["request_id"]]);
      expect(told).toEqual(hangs ? [["the handler", "r-cut"]] : []);
    },
  );

  test("that hangs does not hold the service up when it stops", async () => {
    const order: string[] = [];
    const started = Promise.withResolvers<void>();
    const hanging = dependency({ open: () => 1, close: () => new Promise<void>(() => {}) });
    const opening = dependency({
      open() {
        started.resolve();
        return new Promise(() => {});
      },
    });
    const depends = { first: noted("first", order), hanging, opening };
    const app = await closedWith({ ...routeOf(order), depends }, started.promise);
    expect(order).toEqual(["open first", expect.stringContaining("close first: ")]);
    await app.check(undefined, cut);
    const lines = app.logs.filter((it) => "hangs" in it);
    expect(lines.map(({ hangs }) => hangs)).toEqual([
      "the open of opening",
      "the close of hanging",
    ]);
  });

  test("waits for the last byte of a stream", async () => {
    const order: string[] = [];
    const route = routeOf(order, {
      method: "GET",
      body: undefined,
      responses: { 200: stream() },
      async *handler() {
        yield "a";
        await delay(5);
        order.push("last byte");
        yield "b";
      },
    } as never);
    await using app = await observedApp({ routes: [route] });
    expect((await app.inject({ url: "/ordered" })).body).toBe("ab");
    await expect.poll(() => order.length).toBe(7);
    expect(order[3]).toBe("last byte");
  });

  test("that fails is logged, and the others are closed all the same", async () => {
    const order: string[] = [];
    const depends = { outer: noted("outer", order), broken: noted("broken", order, true) };
    await using app = await observedApp({ routes: [{ ...routeOf(order), depends }] });
    const response = await app.inject(post);
    await app.check(response, { status: 200, method: "POST", route: "/ordered" });
    await expect.poll(() => order.at(-1)).toBe("close outer");
    expect(app.logs.find(({ level }) => level === "error")).toMatchObject({
      request_id: response.headers["x-request-id"],
    });
  });

  test("is waited for when the service stops", async () => {
    const order: string[] = [];
    const slow = dependency({
      open: () => 1,
      async close() {
        await delay(50);
        order.push("closed");
      },
    });
    const route = { ...routeOf([]), depends: { slow } };
    {
      await using app = await observedApp({ routes: [route] });
      await app.inject(post);
    }
    expect(order).toEqual(["closed"]);
  });

  test("comes before the body is read: who may not call need not send it", async () => {
    let isRead = false;
    const guard = dependency({
      open({ req }) {
        isRead = req.readableFlowing === true;
        throw new AppError("AUTH_ERROR", "Who are you?");
      },
    });
    await using app = await observedApp({ routes: [{ ...routeOf([]), depends: { guard } }] });
    const response = await app.inject({ ...post, payload: "x".repeat(500_000) });
    await app.check(response, {
      status: 401,
      method: "POST",
      route: "/ordered",
      code: "AUTH_ERROR",
    });
    expect(isRead).toBe(false);
  });
});

test("an override takes the place of a dependency, wherever it is needed", async () => {
  const user = dependency({
    open(): { id: string } {
      throw new AppError("AUTH_ERROR", "Who are you?");
    },
  });
  const tenant = dependency({ depends: { user }, open: ({ depends }) => `t-${depends.user.id}` });
  const route = defineRoute({
    method: "GET",
    path: "/me",
    summary: "Me",
    depends: { user, tenant },
    responses: { 200: anyObject },
    handler: ({ depends }) => depends,
  });
  const depends = new Map([[user, () => ({ id: "u-1" })]]);
  await using app = await observedApp({ routes: [route], depends: depends as never });
  expect((await app.inject({ url: "/me" })).json()).toEqual({
    user: { id: "u-1" },
    tenant: "t-u-1",
  });
});

describe("a bearer token", async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS256");
  const other = await generateKeyPair("RS256");
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: "k-1" }] });
  const scheme: SecurityScheme = {
    name: "bearer",
    scheme: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
  };

  const currentUser = dependency({
    security: scheme,
    errors: ["AUTH_ERROR"],
    async open({ headers }) {
      const [type, token] = headers.authorization?.split(" ") ?? [];
      if (type?.toLowerCase() !== "bearer" || token === undefined) throw unauthorized();
      try {
        const { payload } = await jwtVerify<{ scope?: string }>(token, keys, {
          issuer: "test",
          audience: "demo",
        });
        return { id: payload.sub ?? "", scopes: (payload.scope ?? "").split(" ") };
      } catch (error) {
        if (error instanceof errors.JOSEError) throw unauthorized();
        throw error;
      }
    },
  });

  function unauthorized(): AppError {
    const headers = { "WWW-Authenticate": "Bearer" };
    return new AppError("AUTH_ERROR", "A valid token is needed", { headers });
  }

  function requireScope(scope: string) {
    return dependency({
      depends: { currentUser },
      security: { ...scheme, scopes: [scope] },
      errors: ["FORBIDDEN"],
      open({ depends }) {
        if (depends.currentUser.scopes.includes(scope)) return depends.currentUser;
        throw new AppError("FORBIDDEN", `The scope ${scope} is needed`);
      },
    });
  }

  const routes = [
    defineRoute({
      method: "GET",
      path: "/me",
      summary: "Me",
      depends: { user: currentUser },
      responses: { 200: z.object({ id: z.string() }) },
      handler: ({ depends }) => ({ id: depends.user.id }),
    }),
    defineRoute({
      method: "POST",
      path: "/things",
      summary: "Make a thing",
      depends: { user: requireScope("things:write") },
      body: z.object({ name: z.string() }),
      responses: { 201: z.object({ owner: z.string() }) },
      handler: ({ depends }) => ({ owner: depends.user.id }),
    }),
  ];

  function sign(
    change: { scope?: string; audience?: string; expires?: string } = {},
    key = privateKey,
  ) {
    return new SignJWT({ scope: change.scope ?? "" })
      .setProtectedHeader({ alg: "RS256", kid: "k-1" })
      .setSubject("u-1")
      .setIssuer("test")
      .setAudience(change.audience ?? "demo")
      .setExpirationTime(change.expires ?? "1m")
      .sign(key);
  }

  test("that is valid lets the user in", async () => {
    await using app = await observedApp({ routes });
    const headers = { authorization: `Bearer ${await sign()}` };
    const response = await app.inject({ url: "/me", headers });
    expect(response.json()).toEqual({ id: "u-1" });
    await app.check(response, { status: 200, route: "/me" });
  });

  test.each([
    ["is missing", undefined],
    ["is of another kind", "Basic dTpw"],
    ["is none", "Bearer nonsense"],
    ["has expired", sign({ expires: "-1m" })],
    ["is for somebody else", sign({ audience: "other" })],
    ["is signed by somebody else", sign({}, other.privateKey)],
  ])("that %s is 401", async (_name, given) => {
    await using app = await observedApp({ routes });
    const token = await given;
    const authorization = token?.includes(" ") === false ? `Bearer ${token}` : token;
    const headers = authorization === undefined ? {} : { authorization };
    const response = await app.inject({ url: "/me", headers });
    expect(response.headers["www-authenticate"]).toBe("Bearer");
    await app.check(response, { status: 401, route: "/me", code: "AUTH_ERROR" });
  });

  test("without the scope is 403, with it it is not", async () => {
    await using app = await observedApp({ routes });
    const post = { method: "POST", url: "/things", payload: { name: "a" } };
    const expected = { method: "POST", route: "/things" };
    const none = await app.inject(post);
    await app.check(none, { ...expected, status: 401, code: "AUTH_ERROR" });
    for (const [scope, status] of [
      ["things:read", 403],
      ["things:read things:write", 201],
    ] as const) {
      const headers = { authorization: `Bearer ${await sign({ scope })}` };
      await app.check(await app.inject({ ...post, headers }), { ...expected, status });
    }
    // Refused before the body was looked at.
    const headers = { authorization: `Bearer ${await sign()}` };
    const response = await app.inject({ ...post, headers, payload: {} });
    expect(errorOf(response).code).toBe("FORBIDDEN");
  });

  test("stands in openapi.json, for the Authorize button of /docs", async () => {
    await using app = await observedApp({ routes });
    const { paths, components } = (await app.inject({ url: "/openapi.json" })).json();
    expect(components.securitySchemes).toEqual({ bearer: scheme.scheme });
    expect(paths["/me"].get.security).toEqual([{ bearer: [] }]);
    expect(Object.keys(paths["/me"].get.responses)).toEqual(expect.arrayContaining(["401"]));
    expect(paths["/me"].get.responses).not.toHaveProperty("403");
    expect(paths["/things"].post.security).toEqual([{ bearer: ["things:write"] }]);
    expect(Object.keys(paths["/things"].post.responses)).toEqual(
      expect.arrayContaining(["401", "403"]),
    );
  });

  test("is not needed in a test that brings its own user", async () => {
    const depends = new Map([[currentUser, () => ({ id: "u-2", scopes: ["things:write"] })]]);
    await using app = await observedApp({ routes, depends: depends as never });
    const response = await app.inject({ method: "POST", url: "/things", payload: { name: "a" } });
    expect(response.json()).toEqual({ owner: "u-2" });
  });
});
