import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { IncomingMessage, request as open, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import compress from "@fastify/compress";
import cookie from "@fastify/cookie";
import cors from "@fastify/cors";
import etag from "@fastify/etag";
import formbody from "@fastify/formbody";
import helmet from "@fastify/helmet";
import jwt from "@fastify/jwt";
import multipart from "@fastify/multipart";
import rateLimit from "@fastify/rate-limit";
import fastifyStatic from "@fastify/static";
import underPressure from "@fastify/under-pressure";
import websocket from "@fastify/websocket";
import type { FastifyRequest } from "fastify";
import { describe, expect, expectTypeOf, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { type App, createFastify, registerRoutes } from "../../src/platform/app.ts";
import { AppError } from "../../src/platform/errors.ts";
import { stream } from "../../src/platform/responses.ts";
import { defineRoute } from "../../src/platform/route.ts";
import { errorOf } from "../support.ts";
import { observedApp, type CreateApp, type ObservedApp } from "./observed-app.ts";
import { abortUpload, create, declared, upload } from "./sample-routes.ts";

/** A service whose application `build` completes. */
function serve(
  build: (app: App, platform: Parameters<CreateApp>[1]) => unknown,
  env: Record<string, string> = {},
): Promise<ObservedApp> {
  return observedApp({
    env,
    createApp: async (_deps, platform) => {
      const app = await createFastify(platform);
      await build(app, platform);
      return app;
    },
  });
}

describe("packages", () => {
  test("cookie: signed cookies, several of them, also on declared routes", async () => {
    await using app = await serve(async (it, platform) => {
      await it.register(cookie, { secret: "a-secret-of-a-test" });
      it.get("/set", (_request, reply) =>
        reply.setCookie("plain", "1").setCookie("signed", "2", { signed: true }).send({}),
      );
      it.get("/get", async (request) => request.unsignCookie(request.cookies.signed ?? ""));
      it.addHook("onSend", async (_request, reply) => void reply.setCookie("seen", "yes"));
      registerRoutes(it, [declared], platform);
    });
    const set = await app.inject({ url: "/set" });
    await app.check(set, { status: 200, route: "/set" });
    const cookies = set.headers["set-cookie"] as unknown as string[];
    expect(cookies).toHaveLength(3);
    const signed = cookies.find((one) => one.startsWith("signed="))!;
    const got = await app.inject({ url: "/get", headers: { cookie: signed } });
    expect(got.json()).toMatchObject({ valid: true, value: "2" });
    await app.check(got, { status: 200, route: "/get" });
    const plain = await app.inject({ url: "/declared/7" });
    expect(plain.headers["set-cookie"]).toEqual(["seen=yes; SameSite=Lax"]);
    await app.check(plain, { status: 200, route: "/declared/{id}" });
  });

  test("cors: the service's own, and one of the team's in a scope", async () => {
    await using own = await serve((it, platform) => registerRoutes(it, [declared], platform), {
      CORS_ORIGINS: "https://a.example",
    });
    const headers = { origin: "https://a.example", "access-control-request-method": "GET" };
    const preflight = await own.inject({ method: "OPTIONS", url: "/declared/1", headers });
    expect(preflight.headers["access-control-allow-origin"]).toBe("https://a.example");
    await own.check(preflight, { status: 204, method: "OPTIONS", route: "" });

    await using app = await serve(async (it) => {
      await it.register(async (scope) => {
        await scope.register(cors, { origin: "https://b.example" });
        scope.get("/scoped", async () => ({}));
      });
      it.get("/plain", async () => ({}));
    });
    const scoped = await app.inject({ url: "/scoped", headers: { origin: "https://b.example" } });
    expect(scoped.headers["access-control-allow-origin"]).toBe("https://b.example");
    await app.check(scoped, { status: 200, route: "/scoped" });
    const plain = await app.inject({ url: "/plain", headers: { origin: "https://b.example" } });
    expect(plain.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("compress: answers of declared and native routes", async () => {
    const big = defineRoute({
      ...declared,
      path: "/big/{id}",
      handler: () => ({ id: "x".repeat(4_000) }),
    });
    await using app = await serve(async (it, platform) => {
      await it.register(compress, { threshold: 100 });
      registerRoutes(it, [big, create], platform);
      it.get("/native", async () => ({ text: "x".repeat(4_000) }));
    });
    for (const [url, route] of [
      ["/big/1", "/big/{id}"],
      ["/native", "/native"],
    ] as const) {
      const response = await app.inject({ url, headers: { "accept-encoding": "gzip" } });
      expect(response.headers["content-encoding"]).toBe("gzip");
      expect(gunzipSync(response.rawPayload).toString()).toContain("xxx");
      await app.check(response, { status: 200, route });
    }
  });

  test("compress: a request that it unpacks reaches a declared route", async () => {
    const { gzipSync } = await import("node:zlib");
    await using app = await serve(async (it, platform) => {
      await it.register(compress);
      registerRoutes(it, [create], platform);
    });
    const response = await app.inject({
      method: "POST",
      url: "/declared",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      payload: gzipSync('{"name":"a"}'),
    });
    expect(response.json()).toEqual({ name: "a" });
    await app.check(response, { status: 201, method: "POST", route: "/declared" });
  });

  test("etag: 304 for a declared route", async () => {
    await using app = await serve(async (it, platform) => {
      await it.register(etag);
      registerRoutes(it, [declared], platform);
    });
    const first = await app.inject({ url: "/declared/1" });
    expect(first.headers.etag).toBeDefined();
    const headers = { "if-none-match": String(first.headers.etag) };
    const second = await app.inject({ url: "/declared/1", headers });
    expect(second.body).toBe("");
    await app.check(first, { status: 200, route: "/declared/{id}" });
    await app.check(second, { status: 304, route: "/declared/{id}" });
  });

  test("formbody: a form on a native route; a declared one still takes JSON alone", async () => {
    await using app = await serve(async (it, platform) => {
      await it.register(formbody);
      it.post("/form", async (request) => request.body);
      registerRoutes(it, [create], platform);
    });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const post = { method: "POST", headers, payload: "a=1&b=2" };
    const native = await app.inject({ ...post, url: "/form" });
    expect(native.json()).toEqual({ a: "1", b: "2" });
    await app.check(native, { status: 200, method: "POST", route: "/form" });
    const refused = await app.inject({ ...post, url: "/declared" });
    await app.check(refused, {
      status: 415,
      method: "POST",
      route: "/declared",
      code: "UNSUPPORTED_MEDIA_TYPE",
    });
  });

  test("helmet: on every answer, also a 404", async () => {
    await using app = await serve(async (it, platform) => {
      await it.register(helmet);
      registerRoutes(it, [declared], platform);
    });
    const found = await app.inject({ url: "/declared/1" });
    const missing = await app.inject({ url: "/nowhere" });
    for (const { headers } of [found, missing]) {
      expect(headers["content-security-policy"]).toBeDefined();
      expect(headers["x-content-type-options"]).toBe("nosniff");
    }
    await app.check(found, { status: 200, route: "/declared/{id}" });
    await app.check(missing, { status: 404, route: "", code: "NOT_FOUND" });
  });

  test("jwt: a guard for a scope of declared routes", async () => {
    let token = "";
    await using app = await serve(async (it, platform) => {
      await it.register(jwt, { secret: "a-secret-of-a-test" });
      token = it.jwt.sign({ sub: "u-1" });
      await it.register(async (scope) => {
        scope.addHook("onRequest", (request) => request.jwtVerify());
        registerRoutes(scope, [declared, create], platform);
      });
    });
    const refused = await app.inject({ url: "/declared/1" });
    await app.check(refused, { status: 401, route: "/declared/{id}", code: "AUTH_ERROR" });
    const forged = { authorization: `Bearer ${token}x` };
    const post = { method: "POST", url: "/declared", payload: { name: "a" } };
    await app.check(await app.inject({ ...post, headers: forged }), {
      status: 401,
      method: "POST",
      route: "/declared",
      code: "AUTH_ERROR",
    });
    const headers = { authorization: `Bearer ${token}` };
    await app.check(await app.inject({ ...post, headers }), {
      status: 201,
      method: "POST",
      route: "/declared",
    });
    expect((await app.inject({ url: "/health" })).statusCode).toBe(200);
  });

  test("multipart: a file, and one that is too large", async () => {
    await using app = await serve(async (it) => {
      await it.register(multipart, { limits: { fileSize: 1_000 } });
      it.post("/upload", async (request) => {
        const file = await request.file();
        return { name: file?.filename, bytes: (await file?.toBuffer())?.length };
      });
    });
    const taken = await app.inject({
      method: "POST",
      url: "/upload",
      ...upload("hello"),
    });
    expect(taken.json()).toEqual({ name: "a.txt", bytes: 5 });
    await app.check(taken, { status: 200, method: "POST", route: "/upload" });
    const large = upload("x".repeat(2_000));
    const refused = await app.inject({ method: "POST", url: "/upload", ...large });
    await app.check(refused, {
      status: 413,
      method: "POST",
      route: "/upload",
      code: "PAYLOAD_TOO_LARGE",
    });
    const json = await app.inject({ method: "POST", url: "/upload", payload: {} });
    await app.check(json, { status: 406, method: "POST", route: "/upload" });
  });

  test("rate-limit: 429 with Retry-After, on native and declared routes", async () => {
    await using app = await serve(async (it, platform) => {
      await it.register(async (scope) => {
        await scope.register(rateLimit, { max: 1, timeWindow: "1 minute" });
        registerRoutes(scope, [declared], platform);
      });
    });
    const first = await app.inject({ url: "/declared/1" });
    expect(first.headers["x-ratelimit-remaining"]).toBe("0");
    await app.check(first, { status: 200, route: "/declared/{id}" });
    const second = await app.inject({ url: "/declared/1" });
    expect(second.headers["retry-after"]).toMatch(/^\d+$/);
    await app.check(second, { status: 429, route: "/declared/{id}", code: "RATE_LIMITED" });
    expect((await app.inject({ url: "/health" })).statusCode).toBe(200);
  });

  test("static: a file, a range, 304, 404, and reply.sendFile", async () => {
    const root = await mkdtemp(join(tmpdir(), "static-"));
    await writeFile(join(root, "a.txt"), "hello");
    await using app = await serve(async (it) => {
      await it.register(fastifyStatic, { root, prefix: "/files/" });
      it.get("/one", (_request, reply) => reply.sendFile("a.txt"));
      it.get("/none", (_request, reply) => reply.sendFile("b.txt"));
    });
    const whole = await app.inject({ url: "/files/a.txt" });
    expect([whole.body, whole.headers["content-type"]]).toEqual([
      "hello",
      "text/plain; charset=utf-8",
    ]);
    await app.check(whole, { status: 200, route: "/files/*" });
    const range = await app.inject({ url: "/files/a.txt", headers: { range: "bytes=1-2" } });
    expect(range.body).toBe("el");
    await app.check(range, { status: 206, route: "/files/*" });
    const headers = { "if-none-match": String(whole.headers.etag) };
    await app.check(await app.inject({ url: "/files/a.txt", headers }), {
      status: 304,
      route: "/files/*",
    });
    const head = await app.inject({ method: "HEAD", url: "/files/a.txt" });
    expect([head.body, head.headers["content-length"]]).toEqual(["", "5"]);
    await app.check(head, { status: 200, method: "HEAD", route: "/files/*" });
    await app.check(await app.inject({ url: "/files/b.txt" }), {
      status: 404,
      route: "/files/*",
      code: "NOT_FOUND",
    });
    await app.check(await app.inject({ url: "/one" }), { status: 200, route: "/one" });
    await app.check(await app.inject({ url: "/none" }), {
      status: 404,
      route: "/none",
      code: "NOT_FOUND",
    });
  });

  test("under-pressure: 503 with Retry-After", async () => {
    await using app = await serve(async (it, platform) => {
      await it.register(underPressure, { maxHeapUsedBytes: 1, retryAfter: 7, sampleInterval: 10 });
      registerRoutes(it, [declared], platform);
    });
    await delay(50);
    const response = await app.inject({ url: "/declared/1" });
    expect(response.headers["retry-after"]).toBe("7");
    await app.check(response, { status: 503, route: "/declared/{id}", code: "OVERLOADED" });
  });
});

describe("websocket", () => {
  async function serveSocket(): Promise<ObservedApp> {
    return serve(async (it) => {
      await it.register(websocket);
      it.get("/ws/:room", { websocket: true }, (socket, request) => {
        socket.on("message", (data: Buffer) => {
          request.log.info({ text: data.toString() }, "message");
          socket.send(`echo ${data.toString()}`);
        });
      });
      it.register(async (scope) => {
        scope.addHook("preValidation", async () => {
          throw new AppError("AUTH_ERROR", "No");
        });
        scope.get("/guarded", { websocket: true }, (socket) => socket.close());
      });
    });
  }

  function connect(
    app: ObservedApp,
    path: string,
    headers: Record<string, string> = {},
  ): WebSocket {
    return new WebSocket(app.url.replace("http", "ws") + path, { headers });
  }

  test("has the ids in its handshake and its log, and one line at its end", async () => {
    await using app = await serveSocket();
    const socket = connect(app, "/ws/a", { "x-request-id": "r-ws" });
    const opened = once(socket, "open");
    const [{ headers }] = await once(socket, "upgrade");
    expect(headers).toMatchObject({ "x-request-id": "r-ws" });
    await opened;
    expect(app.service.requestsInFlight()).toEqual(["r-ws"]);
    socket.send("hello");
    expect(String((await once(socket, "message"))[0])).toBe("echo hello");
    expect(app.logs.find(({ message }) => message === "message")).toMatchObject({
      request_id: "r-ws",
      text: "hello",
      trace_id: expect.any(String),
    });
    socket.close();
    await once(socket, "close");
    await app.check(undefined, { status: 101, route: "/ws/{room}", requestId: "r-ws" });
  });

  test("is told 1001 and closed in a drain", async () => {
    expect.hasAssertions();
    await using app = await serveSocket();
    const socket = connect(app, "/ws/a", { "x-request-id": "r-drain" });
    await once(socket, "open");
    app.service.beginDrain({ stopping: true });
    expect((await once(socket, "close"))[0]).toBe(1001);
    await app.check(undefined, { status: 101, route: "/ws/{room}", requestId: "r-drain" });
  });

  test("that ends without a goodbye is one line too", async () => {
    expect.hasAssertions();
    await using app = await serveSocket();
    const socket = connect(app, "/ws/a", { "x-request-id": "r-gone" });
    await once(socket, "open");
    socket.terminate();
    await app.check(undefined, { status: 101, route: "/ws/{room}", requestId: "r-gone" });
  });

  test.each([
    ["/nowhere", 404, ""],
    ["/guarded", 401, "/guarded"],
  ])("that is refused at %s gets %i and the ids", async (path, status, route) => {
    await using app = await serveSocket();
    const socket = connect(app, path, { "x-request-id": "r-refused" });
    socket.on("error", () => {});
    const [, response] = await once(socket, "unexpected-response");
    expect(response.statusCode).toBe(status);
    expect(response.headers["x-request-id"]).toBe("r-refused");
    response.resume();
    await once(response, "end");
    socket.terminate();
    await app.check(undefined, { status, route, requestId: "r-refused" });
  });

  test("does not change what an ordinary request with an Upgrade header gets without it", async () => {
    expect.hasAssertions();
    await using app = await serve((it, platform) => registerRoutes(it, [declared], platform));
    const headers = { connection: "upgrade", upgrade: "h2c" };
    const response = await app.inject({ url: "/declared/1", headers });
    await app.check(response, { status: 200, route: "/declared/{id}" });
  });
});

describe("hooks", () => {
  test("onClose runs before the dependencies close", async () => {
    const order: string[] = [];
    {
      await using app = await observedApp({
        createApp: async (deps, platform) => {
          const it = await createFastify(platform);
          it.addHook("onClose", async () => {
            order.push("app");
          });
          expect(deps).toBeDefined();
          return it;
        },
      });
      const { close } = app.service;
      app.service.close = async () => {
        await close();
        order.push("service");
      };
      await app.inject({ url: "/health" });
    }
    expect(order).toEqual(["app", "service"]);
  });

  test("a preHandler guard in a scope holds for GET and POST, and keeps its status", async () => {
    const calls: string[] = [];
    const guarded = defineRoute({
      ...declared,
      path: "/guarded/{id}",
      handler({ params }) {
        calls.push(params.id);
        return params;
      },
    });
    await using app = await serve(async (it, platform) => {
      await it.register(async (scope) => {
        scope.addHook("preHandler", async (request) => {
          if (request.headers.authorization === undefined)
            throw new AppError("AUTH_ERROR", "Who are you?");
        });
        registerRoutes(scope, [guarded, create], platform);
        scope.get("/native", async () => ({}));
      });
      registerRoutes(it, [declared], platform);
    });
    for (const [method, url, route] of [
      ["GET", "/guarded/1", "/guarded/{id}"],
      ["GET", "/native", "/native"],
      ["POST", "/declared", "/declared"],
    ] as const) {
      const payload = method === "POST" ? { name: "a" } : undefined;
      const response = await app.inject({ method, url, payload });
      await app.check(response, { status: 401, method, route, code: "AUTH_ERROR" });
    }
    expect(calls).toEqual([]);
    expect((await app.inject({ url: "/declared/1" })).statusCode).toBe(200);
    const headers = { authorization: "me" };
    await app.check(await app.inject({ url: "/guarded/1", headers }), {
      status: 200,
      route: "/guarded/{id}",
    });
    expect(calls).toEqual(["1"]);
  });

  test("a guard that answers itself, without an error", async () => {
    await using app = await serve(async (it, platform) => {
      it.addHook("onRequest", async (request, reply) => {
        if (request.url.startsWith("/declared")) await reply.code(403).send({ no: true });
      });
      registerRoutes(it, [declared], platform);
    });
    const response = await app.inject({ url: "/declared/1", headers: { "x-request-id": "r-403" } });
    expect([response.statusCode, response.json()]).toEqual([403, { no: true }]);
    await app.check(undefined, { status: 403, route: "/declared/{id}", requestId: "r-403" });
  });

  test("preSerialization, onSend, onResponse and onError run for declared routes", async () => {
    const seen: string[] = [];
    const failing = defineRoute({
      ...declared,
      path: "/failing/{id}",
      handler() {
        throw new Error("secret");
      },
    });
    await using app = await serve(async (it, platform) => {
      it.addHook("preSerialization", async (_request, _reply, payload) => {
        seen.push("preSerialization");
        return payload;
      });
      it.addHook("onSend", async (_request, reply, payload) => {
        seen.push("onSend");
        reply.header("x-hook", "yes");
        return payload;
      });
      it.addHook("onResponse", async () => void seen.push("onResponse"));
      it.addHook("onError", async () => void seen.push("onError"));
      registerRoutes(it, [declared, failing], platform);
    });
    const response = await app.inject({ url: "/declared/1" });
    expect(response.headers["x-hook"]).toBe("yes");
    await app.check(response, { status: 200, route: "/declared/{id}" });
    expect(seen).toEqual(["preSerialization", "onSend", "onResponse"]);
    seen.length = 0;
    const failed = await app.inject({ url: "/failing/1" });
    expect(failed.body).not.toContain("secret");
    await app.check(failed, { status: 500, route: "/failing/{id}", code: "INTERNAL_ERROR" });
    expect(seen).toEqual(["onError", "onSend", "onResponse"]);
  });

  test("preSerialization may change what a declared route answers, within its schema", async () => {
    await using app = await serve(async (it, platform) => {
      it.addHook("preSerialization", async (_request, _reply, payload) => ({
        ...(payload as object),
        id: "changed",
      }));
      registerRoutes(it, [declared], platform);
    });
    expect((await app.inject({ url: "/declared/1" })).json()).toEqual({ id: "changed" });
  });

  test("a hook that throws in onSend is a 500 in the standard's body", async () => {
    expect.hasAssertions();
    await using app = await serve(async (it, platform) => {
      it.addHook("onSend", async (request, reply) => {
        if (request.url === "/declared/1" && reply.statusCode === 200) throw new Error("secret");
      });
      registerRoutes(it, [declared], platform);
    });
    const response = await app.inject({ url: "/declared/1" });
    await app.check(response, { status: 500, route: "/declared/{id}", code: "INTERNAL_ERROR" });
  });

  test("decorators and encapsulation", async () => {
    await using app = await serve(async (it) => {
      it.decorate("answer", 42);
      it.decorateRequest("user", "");
      await it.register(
        async (scope) => {
          scope.addHook("onRequest", async (request) => {
            (request as FastifyRequest & { user: string }).user = "u-1";
          });
          scope.get("/me", async (request) => ({
            user: (request as FastifyRequest & { user: string }).user,
            answer: (scope as unknown as { answer: number }).answer,
          }));
        },
        { prefix: "/scope" },
      );
      it.get("/me", async (request) => ({
        user: (request as FastifyRequest & { user: string }).user,
      }));
    });
    const inside = await app.inject({ url: "/scope/me" });
    expect(inside.json()).toEqual({ user: "u-1", answer: 42 });
    await app.check(inside, { status: 200, route: "/scope/me" });
    expect((await app.inject({ url: "/me" })).json()).toEqual({ user: "" });
  });

  test("a declared route in a scope with a prefix", async () => {
    await using app = await serve(async (it, platform) => {
      await it.register(async (scope) => registerRoutes(scope, [declared, create], platform), {
        prefix: "/v2",
      });
    });
    const response = await app.inject({ url: "/v2/declared/1" });
    await app.check(response, { status: 200, route: "/v2/declared/{id}" });
    const document = (await app.inject({ url: "/openapi.json" })).json();
    expect(Object.keys(document.paths)).toContain("/v2/declared/{id}");
    const refused = await app.inject({ method: "PUT", url: "/v2/declared/1" });
    await app.check(refused, {
      status: 405,
      method: "PUT",
      route: "",
      code: "METHOD_NOT_ALLOWED",
    });
  });
});

describe("answers past the declared routes", () => {
  test("reply.hijack and the raw response", async () => {
    await using app = await serve((it) => {
      it.get("/raw", (_request, reply) => {
        reply.hijack();
        reply.raw.writeHead(202, { "content-type": "text/plain" });
        reply.raw.write("by ");
        reply.raw.end("hand");
      });
    });
    const response = await app.inject({ url: "/raw" });
    expect(response.body).toBe("by hand");
    await app.check(response, { status: 202, route: "/raw" });
  });

  test("a hijacked reply that nobody ends is over when the client leaves", async () => {
    expect.hasAssertions();
    await using app = await serve((it) => {
      it.get("/raw", (_request, reply) => {
        reply.hijack();
        reply.raw.write("never ");
      });
    });
    const sent = open(`${app.url}/raw`, { headers: { "x-request-id": "r-left" } }).end();
    sent.on("error", () => {});
    const [response] = await once(sent, "response");
    response.on("error", () => {});
    sent.destroy();
    await app.check(undefined, { status: 499, route: "/raw", requestId: "r-left" });
  });

  test("an Express application inside, which changes the prototype of the response", async () => {
    await using app = await serve((it, platform) => {
      it.addHook("onRequest", async ({ raw: req }, { raw: res }) => {
        Object.setPrototypeOf(req, Object.create(IncomingMessage.prototype));
        Object.setPrototypeOf(res, Object.create(ServerResponse.prototype));
      });
      it.get("/inside", (_request, reply) => void reply.hijack().raw.end("\u00e9h", "latin1"));
      registerRoutes(it, [declared, create], platform);
    });
    await app.check(await app.inject({ url: "/inside" }), { status: 200, route: "/inside" });
    expect(app.logs.find(({ route }) => route === "/inside")).toMatchObject({ bytes: 2 });
    const waiting = { headers: { expect: "100-continue" }, payload: { name: "a" } };
    const created = await app.inject({ method: "POST", url: "/declared", ...waiting });
    await app.check(created, { status: 201, method: "POST", route: "/declared" });
  });

  test("app.log, logLevel and logSerializers", async () => {
    await using app = await serve((it) => {
      it.log.info("while it starts");
      it.get("/loud", { logLevel: "debug" }, async ({ log }) => log.debug("heard"));
      it.get("/quiet", { logLevel: "silent" }, async ({ log }) => log.error("not heard"));
      const logSerializers = { user: () => "somebody" };
      it.get("/shown", { logSerializers }, async ({ log }) => log.info({ user: 7 }, "shown"));
    });
    for (const url of ["/loud", "/quiet", "/shown"]) await app.inject({ url });
    const lines = app.logs.filter(({ message }) => message !== "request completed");
    expect(lines).toMatchObject([
      { message: "while it starts" },
      { message: "heard", level: "debug", request_id: expect.any(String) },
      { message: "shown", user: "somebody" },
    ]);
  });

  test("an error handler in a scope, and what it leaves to the service", async () => {
    class Teapot extends Error {}
    await using app = await serve(async (it) => {
      await it.register(async (scope) => {
        scope.setErrorHandler((error, _request, reply) => {
          if (error instanceof Teapot) return reply.code(418).send({ teapot: true });
          throw error;
        });
        scope.get("/teapot", () => Promise.reject(new Teapot()));
        scope.get("/other", () => Promise.reject(new AppError("CONFLICT", "Taken")));
      });
      it.get("/outside", () => Promise.reject(new Teapot("secret")));
    });
    const teapot = await app.inject({ url: "/teapot", headers: { "x-request-id": "r-418" } });
    expect([teapot.statusCode, teapot.json()]).toEqual([418, { teapot: true }]);
    await app.check(undefined, { status: 418, route: "/teapot", requestId: "r-418" });
    await app.check(await app.inject({ url: "/other" }), {
      status: 409,
      route: "/other",
      code: "CONFLICT",
    });
    await app.check(await app.inject({ url: "/outside" }), {
      status: 500,
      route: "/outside",
      code: "INTERNAL_ERROR",
    });
  });

  test("a not-found handler of the team's", async () => {
    await using app = await serve((it) => {
      it.get("/known", async () => ({}));
      it.setNotFoundHandler(async (request, reply) => {
        if (request.url.startsWith("/app/")) return reply.type("text/html").send("<main>");
        return it.throwUnmatched(request);
      });
    });
    const page = await app.inject({ url: "/app/any" });
    expect(page.body).toBe("<main>");
    await app.check(page, { status: 200, route: "" });
    await app.check(await app.inject({ url: "/nowhere" }), {
      status: 404,
      route: "",
      code: "NOT_FOUND",
    });
    await app.check(await app.inject({ method: "DELETE", url: "/known" }), {
      status: 405,
      method: "DELETE",
      route: "",
      code: "METHOD_NOT_ALLOWED",
    });
  });

  test.each([
    ["statusCode", 409, "CONFLICT"],
    ["status", 422, "VALIDATION_ERROR"],
    ["statusCode", 503, "OVERLOADED"],
  ])("an error with %s %i keeps it", async (name, status, code) => {
    expect.hasAssertions();
    await using app = await serve((it) => {
      it.get("/fails", () => Promise.reject(Object.assign(new Error("why"), { [name]: status })));
    });
    await app.check(await app.inject({ url: "/fails" }), { status, route: "/fails", code });
  });

  test.each([["a string"], [undefined], [null], [{ statusCode: 404 }]])(
    "thrown %s is an error answer",
    async (thrown) => {
      expect.hasAssertions();
      await using app = await serve((it) => {
        // oxlint-disable-next-line typescript/only-throw-error -- what a handler may do all the same
        it.get("/fails", async () => {
          throw thrown;
        });
      });
      const response = await app.inject({ url: "/fails", headers: { "x-request-id": "r-thrown" } });
      const status = thrown === Object(thrown) ? 404 : 500;
      await app.check(response, { status, route: "/fails" });
    },
  );

  test("streams: whole, breaking, abandoned", async () => {
    const never = new PassThrough();
    await using app = await serve((it) => {
      it.get("/whole", (_request, reply) =>
        reply.type("text/plain").send(Readable.from(["a", "b"])),
      );
      it.get("/breaks", (_request, reply) =>
        reply.type("text/plain").send(
          Readable.from(
            (async function* () {
              yield "a";
              await delay(5);
              throw new Error("secret");
            })(),
          ),
        ),
      );
      it.get("/breaks-first", (_request, reply) =>
        reply.send(
          new Readable({
            read() {
              this.destroy(new Error("secret"));
            },
          }),
        ),
      );
      it.get("/never", (_request, reply) => {
        never.write("a");
        return reply.send(never);
      });
    });
    const whole = await app.inject({ url: "/whole" });
    expect(whole.body).toBe("ab");
    await app.check(whole, { status: 200, route: "/whole" });

    const headers = { "x-request-id": "r-breaks" };
    await expect(app.inject({ url: "/breaks", headers })).rejects.toThrow("aborted");
    await app.check(undefined, { status: 500, route: "/breaks", requestId: "r-breaks" });

    await app.check(await app.inject({ url: "/breaks-first" }), {
      status: 500,
      route: "/breaks-first",
      code: "INTERNAL_ERROR",
    });

    const sent = open(`${app.url}/never`, { headers: { "x-request-id": "r-never" } }).end();
    sent.on("error", () => {});
    const [response] = await once(sent, "response");
    response.on("error", () => {});
    sent.destroy();
    await app.check(undefined, { status: 499, route: "/never", requestId: "r-never" });
    expect(never.destroyed).toBe(true);
  });
});

describe("native routes with schemas", () => {
  const bodySchema = z.object({ name: z.string(), age: z.number().default(1) });

  test("zod: types, coercion, error bodies both ways, openapi.json", async () => {
    await using app = await serve((it) => {
      it.post(
        "/people/:id",
        {
          schema: {
            params: z.object({ id: z.coerce.number() }),
            querystring: z.object({ tag: z.array(z.string()).optional() }),
            body: bodySchema,
            response: { 200: z.object({ id: z.number(), name: z.string() }) },
          },
        },
        async (request) => {
          expectTypeOf(request.body).toEqualTypeOf<{ name: string; age: number }>();
          expectTypeOf(request.params).toEqualTypeOf<{ id: number }>();
          expect(request.body.age).toBe(1);
          if (request.query.tag?.[0] === "bad") return { id: "x" } as never;
          return { id: request.params.id, name: request.body.name, secret: "not declared" };
        },
      );
    });
    const post = { method: "POST", url: "/people/7?tag=a", payload: { name: "a" } };
    const response = await app.inject(post);
    expect(response.json()).toEqual({ id: 7, name: "a" });
    expect(response.headers["content-type"]).toMatch(/^application\/json/);
    await app.check(response, { status: 200, method: "POST", route: "/people/{id}" });

    const refused = await app.inject({ ...post, payload: { name: 1 } });
    expect(errorOf(refused).details).toMatchObject([{ field: "body.name" }]);
    await app.check(refused, {
      status: 400,
      method: "POST",
      route: "/people/{id}",
      code: "VALIDATION_ERROR",
    });
    const missing = await app.inject({ ...post, payload: undefined });
    await app.check(missing, { status: 400, method: "POST", route: "/people/{id}" });

    const broken = await app.inject({ ...post, url: "/people/7?tag=bad" });
    await app.check(broken, {
      status: 500,
      method: "POST",
      route: "/people/{id}",
      code: "INTERNAL_ERROR",
    });
    const { paths } = (await app.inject({ url: "/openapi.json" })).json();
    expect(paths["/people/{id}"].post).toMatchObject({
      requestBody: { required: true },
      parameters: expect.arrayContaining([expect.objectContaining({ name: "id", in: "path" })]),
    });
    expect(Object.keys(paths["/people/{id}"].post.responses)).toEqual(
      expect.arrayContaining(["200", "400", "413", "415", "500"]),
    );
  });

  test("zod, asynchronously and with attachValidation", async () => {
    const body = z.object({ name: z.string().transform(async (name) => name.toUpperCase()) });
    await using app = await serve((it) => {
      it.post("/later", { schema: { body } }, async (request) => request.body);
      it.post("/attached", { schema: { body }, attachValidation: true }, async (request) => ({
        message: request.validationError?.message,
      }));
    });
    const post = { method: "POST", url: "/later" };
    expect((await app.inject({ ...post, payload: { name: "a" } })).json()).toEqual({ name: "A" });
    const refused = await app.inject({ ...post, payload: {} });
    expect(errorOf(refused).details).toMatchObject([{ field: "body.name" }]);
    const attached = await app.inject({ ...post, url: "/attached", payload: {} });
    expect(attached.json()).toEqual({ message: "Request validation failed" });
  });

  test("zod where it would check nothing is refused", async () => {
    const schema = z.object({ n: z.number() });
    const content = { "application/json": { schema } };
    const typed = serve((it) =>
      it.post("/typed", { schema: { body: { content } } }, async () => 1),
    );
    await expect(typed).rejects.toThrow("zod can only check a whole part");
    await using app = await serve((it) => {
      it.get("/by-hand", async (request) => request.validateInput({ n: "x" }, schema));
    });
    expect((await app.inject({ url: "/by-hand" })).statusCode).toBe(500);
  });

  test("plugins that read the schemas of routes find those that were declared", async () => {
    const routes: { url: string; schema?: { response?: unknown } }[] = [];
    const seen: unknown[] = [];
    const response = { 200: z.object({}) };
    await using app = await serve((it) => {
      it.addHook("onRoute", (route) => {
        routes.push(route);
        seen.push(route.schema?.response);
      });
      it.get("/with", { schema: { response } }, async () => ({}));
      it.get("/without", { exposeHeadRoute: false }, async () => ({}));
    });
    expect(seen).toEqual([response, response, undefined]);
    await app.inject({ url: "/with" });
    expect(routes.map(({ schema }) => schema?.response)).toEqual(seen);
  });

  test("JSON schema, as plugins use it", async () => {
    await using app = await serve((it) => {
      it.post(
        "/plain",
        {
          schema: {
            body: {
              type: "object",
              required: ["name"],
              properties: { name: { type: "string" }, n: { type: "integer" } },
            },
            response: { 200: { type: "object", properties: { n: { type: "integer" } } } },
          },
        },
        async (request) => ({ ...(request.body as object), secret: 1 }),
      );
    });
    const post = { method: "POST", url: "/plain" };
    const response = await app.inject({ ...post, payload: { name: "a", n: "5" } });
    expect(response.json()).toEqual({ n: 5 });
    await app.check(response, { status: 200, method: "POST", route: "/plain" });
    const refused = await app.inject({ ...post, payload: {} });
    expect(errorOf(refused).details).toHaveLength(1);
    await app.check(refused, {
      status: 400,
      method: "POST",
      route: "/plain",
      code: "VALIDATION_ERROR",
    });
  });

  test("JSON that is none, or too large, on a native route", async () => {
    expect.hasAssertions();
    await using app = await serve((it) => {
      it.post("/plain", async (request) => request.body);
    });
    const post = { method: "POST", url: "/plain", headers: { "content-type": "application/json" } };
    const expected = { method: "POST", route: "/plain" };
    await app.check(await app.inject({ ...post, payload: "{" }), { ...expected, status: 400 });
    const large = await app.inject({ ...post, payload: JSON.stringify("x".repeat(1_048_576)) });
    await app.check(large, { ...expected, status: 413, code: "PAYLOAD_TOO_LARGE" });
    const headers = { "content-type": "text/csv" };
    const csv = await app.inject({ ...post, headers, payload: "a,b" });
    await app.check(csv, { ...expected, status: 415, code: "UNSUPPORTED_MEDIA_TYPE" });
  });
});

test("JSON schemas and forms of native routes stand in openapi.json", async () => {
  const person = { type: "object", properties: { name: { type: "string", minLength: 1 } } };
  await using app = await serve(async (it) => {
    await it.register(multipart);
    it.addSchema({ $id: "shared", type: "string" });
    const schema = {
      summary: "Make a person",
      params: { type: "object", properties: { id: { type: "integer" } } },
      querystring: {
        type: "object",
        required: ["tag"],
        properties: { tag: { type: "string" }, size: { type: "integer", maximum: 9 } },
      },
      body: person,
      response: { "2xx": person, 409: { $ref: "shared#" } },
    };
    it.post("/people/:id", { schema }, async () => ({}));
    const form = { consumes: ["multipart/form-data"], body: person };
    it.post("/forms", { schema: form, validatorCompiler: () => () => true }, async () => ({}));
  });
  const document = (await app.inject({ url: "/openapi.json" })).json();
  const { post } = document.paths["/people/{id}"];
  expect(post).toMatchObject({
    summary: "Make a person",
    requestBody: { content: { "application/json": { schema: person } } },
    responses: { "2XX": { content: { "application/json": { schema: person } } } },
  });
  expect(post.responses["409"].content["application/json"].schema).toEqual({});
  expect(post.parameters).toEqual([
    { in: "path", name: "id", required: true, schema: { type: "integer" } },
    { in: "query", name: "tag", required: true, schema: { type: "string" } },
    { in: "query", name: "size", schema: { type: "integer", maximum: 9 } },
  ]);
  expect(document.paths["/forms"].post.requestBody.content).toEqual({
    "multipart/form-data": { schema: person },
  });
});

test("the limit of a route's own is the one that is named", async () => {
  await using app = await serve((it) => {
    it.post("/small", { bodyLimit: 10 }, async () => ({}));
  });
  for (const type of ["application/json", "text/plain"]) {
    const response = await app.inject({
      method: "POST",
      url: "/small",
      headers: { "content-type": type },
      payload: '"0123456789"',
    });
    await app.check(response, { status: 413, method: "POST", route: "/small" });
    expect(errorOf(response).message).toBe("The body is larger than 10 bytes");
  }
});

test("HEAD of a stream says nothing of its length", async () => {
  const events = defineRoute({
    ...declared,
    path: "/stream",
    params: undefined,
    responses: { 200: stream("text/csv") },
    handler: () => Readable.from(["a"]),
  });
  await using app = await serve((it, platform) => {
    it.get("/native", (_request, reply) => reply.send(Readable.from(["a"])));
    registerRoutes(it, [events], platform);
  });
  for (const route of ["/stream", "/native"]) {
    const response = await app.inject({ method: "HEAD", url: route });
    expect(response.headers["content-length"]).toBeUndefined();
    await app.check(response, { status: 200, method: "HEAD", route });
  }
});

test("a hook that throws after the answer is logged, with the request's ids", async () => {
  await using app = await serve((it) => {
    it.addHook("onResponse", async () => {
      throw new Error("the reason");
    });
    it.get("/", async () => ({}));
  });
  const response = await app.inject({ url: "/" });
  expect(app.logs).toContainEqual(
    expect.objectContaining({
      level: "error",
      request_id: response.headers["x-request-id"],
      error: expect.objectContaining({ message: "the reason" }),
    }),
  );
  await app.check(response, { status: 200, route: "/" });
});

test("an answer that is sent twice is logged as any other error", async () => {
  await using app = await serve((it) => {
    it.get("/", (_request, reply) => {
      void reply.send({});
      void reply.send({});
    });
  });
  await app.inject({ url: "/" });
  const line = app.logs.find(({ level }) => level === "warn");
  expect(line).toMatchObject({
    message: expect.stringContaining("already"),
    error: { code: "FST_ERR_REP_ALREADY_SENT" },
  });
});

test("onRequestAbort hooks log with the request's ids", async () => {
  await using app = await serve((it) => {
    it.addHook("onRequestAbort", async ({ log }) => log.info("hook of the app"));
    const onRequestAbort = async ({ log }: FastifyRequest): Promise<void> =>
      log.info("hook of the route");
    it.get("/never", { onRequestAbort }, () => {});
  });
  const sent = open(`${app.url}/never`, { headers: { "x-request-id": "r-abort" } });
  sent.on("error", () => {}).end();
  await expect.poll(() => app.service.requestsInFlight()).toEqual(["r-abort"]);
  sent.destroy();
  await app.check(undefined, { status: 499, route: "/never", requestId: "r-abort" });
  for (const message of ["hook of the app", "hook of the route"]) {
    await expect
      .poll(() => app.logs)
      .toContainEqual(expect.objectContaining({ message, request_id: "r-abort" }));
  }
});

test("an upload that the client breaks off is the client's", async () => {
  expect.hasAssertions();
  await using app = await serve(async (it) => {
    await it.register(multipart);
    it.post("/upload", async (request) => (await request.file())?.toBuffer());
  });
  await abortUpload(app, "/upload");
});

test("app.inject goes through the same hooks, ids and error bodies", async () => {
  let instance: App | undefined;
  await using app = await serve((it, platform) => {
    instance = it;
    registerRoutes(it, [declared, create], platform);
    it.get("/native", async (request) => ({ id: request.id }));
  });
  const headers = { "x-request-id": "r-inject" };
  const response = await instance!.inject({ url: "/native", headers });
  expect(response.json()).toEqual({ id: "r-inject" });
  expect(response.headers["x-request-id"]).toBe("r-inject");
  await app.check(undefined, { status: 200, route: "/native", requestId: "r-inject" });
  const refused = await instance!.inject({ method: "POST", url: "/declared", payload: {} });
  expect(refused.json()).toMatchObject({
    error: { code: "VALIDATION_ERROR", request_id: refused.headers["x-request-id"] },
  });
  expect((await instance!.inject("/nowhere")).statusCode).toBe(404);
});

describe("errors that plain Fastify has its own way with", () => {
  test("a hook of the answer that throws gives nothing away", async () => {
    await using app = await serve((it) => {
      it.get("/broken", async () => ({}));
      it.addHook("onSend", async () => {
        throw new Error("onSend boom");
      });
    });
    const response = await app.inject({ url: "/broken" });
    expect(response.statusCode).toBe(500);
    expect(errorOf(response)).toMatchObject({ code: "INTERNAL_ERROR" });
    expect(response.body).not.toContain("boom");
  });

  test("an answer that a plugin finds invalid is the service's fault", async () => {
    const invalid = { statusCode: 500, validation: [{ instancePath: "/n", message: "no number" }] };
    await using app = await serve((it) => {
      it.get("/invalid", () => Promise.reject(Object.assign(new Error("invalid"), invalid)));
    });
    const answer = await app.inject({ url: "/invalid" });
    await app.check(answer, { status: 500, route: "/invalid", code: "INTERNAL_ERROR" });
    expect(answer.body).not.toContain("no number");
  });

  test("a status that was set before an error is kept", async () => {
    await using app = await serve((it) => {
      it.get("/gone", (_request, reply) => reply.code(404).send(new Error("row 17 of table x")));
    });
    const response = await app.inject({ url: "/gone" });
    expect([response.statusCode, errorOf(response).code]).toEqual([404, "NOT_FOUND"]);
    expect(response.body).not.toContain("row 17");
  });

  test("a form without a boundary is the caller's fault", async () => {
    await using app = await serve(async (it) => {
      await it.register(multipart);
      it.post("/upload", async (request) => {
        for await (const part of request.parts()) void part;
        return {};
      });
    });
    const headers = { "content-type": "multipart/form-data" };
    const response = await app.inject({ method: "POST", url: "/upload", headers, payload: "x" });
    expect([response.statusCode, errorOf(response).code]).toEqual([400, "VALIDATION_ERROR"]);
  });

  test("an upgrade to anything but a WebSocket is ignored", async () => {
    await using app = await serve(async (it) => {
      await it.register(websocket);
      it.get("/text", async () => "text");
    });
    const headers = { upgrade: "h2c", connection: "upgrade" };
    const response = await app.inject({ url: "/text", headers });
    expect([response.statusCode, response.body]).toEqual([200, "text"]);
  });
});
