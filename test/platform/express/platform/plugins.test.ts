import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { request as open } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { gunzipSync } from "node:zlib";
import bodyParser from "body-parser";
import compression from "compression";
import cookieParser from "cookie-parser";
import cors from "cors";
import express, { type ErrorRequestHandler, Router } from "express";
import { rateLimit } from "express-rate-limit";
import session from "express-session";
import helmet from "helmet";
import createError from "http-errors";
import multer from "multer";
import serveStatic from "serve-static";
import supertest from "supertest";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  type App,
  createExpress,
  mount,
  registerRoutes,
  validate,
} from "../../src/platform/app.ts";
import { AppError } from "../../src/platform/errors.ts";
import { defineRoute } from "../../src/platform/route.ts";
import { errorOf } from "../support.ts";
import { type CreateApp, observedApp, type ObservedApp } from "./observed-app.ts";
import { abortUpload, create, declared, upload } from "./sample-routes.ts";

/** A service whose application `build` completes. */
function serve(
  build: (app: App, platform: Parameters<CreateApp>[1]) => unknown,
  env: Record<string, string> = {},
): Promise<ObservedApp> {
  return observedApp({
    env,
    createApp: (_deps, platform) => {
      const app = createExpress(platform);
      build(app, platform);
      return app;
    },
  });
}

describe("packages", () => {
  test("body-parser: json, urlencoded, text and raw, and what they refuse", async () => {
    await using app = await serve((it) => {
      it.post("/json", bodyParser.json({ limit: 100 }), (req, res) => void res.json(req.body));
      it.post("/form", bodyParser.urlencoded(), (req, res) => void res.json(req.body));
      it.post("/text", bodyParser.text(), (req, res) => void res.send(req.body));
      it.post("/raw", bodyParser.raw(), (req, res) => void res.json((req.body as Buffer).length));
    });
    for (const [url, type, payload, answer] of [
      ["/json", "application/json", '{"a":1}', '{"a":1}'],
      ["/form", "application/x-www-form-urlencoded", "a=1", '{"a":"1"}'],
      ["/text", "text/plain", "hello", "hello"],
      ["/raw", "application/octet-stream", "1234", "4"],
    ] as const) {
      const headers = { "content-type": type };
      const response = await app.inject({ method: "POST", url, headers, payload });
      expect(response.body).toBe(answer);
      await app.check(response, { status: 200, method: "POST", route: url });
    }
    const post = { method: "POST", url: "/json", headers: { "content-type": "application/json" } };
    const expected = { method: "POST", route: "/json" };
    await app.check(await app.inject({ ...post, payload: "{" }), {
      ...expected,
      status: 400,
      code: "VALIDATION_ERROR",
    });
    await app.check(await app.inject({ ...post, payload: JSON.stringify("x".repeat(200)) }), {
      ...expected,
      status: 413,
      code: "PAYLOAD_TOO_LARGE",
    });
    const headers = { "content-type": "application/json; charset=klingon" };
    await app.check(await app.inject({ ...post, headers, payload: "{}" }), {
      ...expected,
      status: 415,
      code: "UNSUPPORTED_MEDIA_TYPE",
    });
  });

  test("express.json() before declared routes", async () => {
    await using app = await serve((it, platform) => {
      it.use(express.json());
      registerRoutes(it, [create], platform);
    });
    const post = { method: "POST", url: "/declared" };
    await app.check(await app.inject({ ...post, payload: { name: "a" } }), {
      status: 201,
      method: "POST",
      route: "/declared",
    });
    const refused = await app.inject({ ...post, payload: {} });
    expect(errorOf(refused).details).toMatchObject([{ field: "body.name" }]);
    const malformed = await app.inject({
      ...post,
      headers: { "content-type": "application/json" },
      payload: "{",
    });
    // The middleware refused it: no route was found by then.
    await app.check(malformed, { status: 400, method: "POST", route: "" });
  });

  test("compression: declared and native routes", async () => {
    const big = defineRoute({
      ...declared,
      path: "/big/{id}",
      handler: () => ({ id: "x".repeat(4_000) }),
    });
    await using app = await serve((it, platform) => {
      it.use(compression());
      registerRoutes(it, [big], platform);
      it.get("/native", (_req, res) => void res.json({ text: "x".repeat(4_000) }));
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

  test("cookie-parser: signed cookies", async () => {
    await using app = await serve((it) => {
      it.use(cookieParser("a-secret-of-a-test"));
      it.get(
        "/set",
        (_req, res) => void res.cookie("a", "1", { signed: true }).cookie("b", "2").json({}),
      );
      it.get("/get", (req, res) => void res.json(req.signedCookies));
    });
    const set = await app.inject({ url: "/set" });
    await app.check(set, { status: 200, route: "/set" });
    const cookies = set.headers["set-cookie"] as unknown as string[];
    expect(cookies).toHaveLength(2);
    const got = await app.inject({ url: "/get", headers: { cookie: cookies[0]!.split(";")[0] } });
    expect(got.json()).toEqual({ a: "1" });
  });

  test("cors: the service's own, and one of the team's on a router", async () => {
    await using own = await serve((it, platform) => registerRoutes(it, [declared], platform), {
      CORS_ORIGINS: "https://a.example",
    });
    const headers = { origin: "https://a.example", "access-control-request-method": "GET" };
    const preflight = await own.inject({ method: "OPTIONS", url: "/declared/1", headers });
    expect(preflight.headers["access-control-allow-origin"]).toBe("https://a.example");
    await own.check(preflight, { status: 204, method: "OPTIONS", route: "" });

    await using app = await serve((it) => {
      const router = Router();
      router.use(cors({ origin: "https://b.example" }));
      router.get("/things", (_req, res) => void res.json({}));
      it.use("/b", router);
    });
    const origin = { origin: "https://b.example" };
    const response = await app.inject({ url: "/b/things", headers: origin });
    expect(response.headers["access-control-allow-origin"]).toBe("https://b.example");
    await app.check(response, { status: 200, route: "/b/things" });
  });

  test("express-rate-limit: its own 429, and one in the standard's body", async () => {
    await using app = await serve((it, platform) => {
      it.use("/own", rateLimit({ windowMs: 60_000, limit: 1, validate: false }));
      it.use(
        "/declared",
        rateLimit({
          windowMs: 60_000,
          limit: 1,
          validate: false,
          handler: (_req, _res, next) => next(new AppError("RATE_LIMITED", "Too many")),
        }),
      );
      it.get("/own", (_req, res) => void res.json({}));
      registerRoutes(it, [declared], platform);
    });
    await app.check(await app.inject({ url: "/own" }), { status: 200, route: "/own" });
    const own = await app.inject({ url: "/own", headers: { "x-request-id": "r-429" } });
    expect([own.statusCode, own.headers["x-request-id"]]).toEqual([429, "r-429"]);
    await app.check(undefined, { status: 429, route: "/own/*", requestId: "r-429" });
    const first = await app.inject({ url: "/declared/1" });
    await app.check(first, { status: 200, route: "/declared/{id}" });
    const second = await app.inject({ url: "/declared/1" });
    expect(second.headers["retry-after"]).toMatch(/^\d+$/);
    await app.check(second, { status: 429, route: "", code: "RATE_LIMITED" });
  });

  test("express-session: a value is kept", async () => {
    await using app = await serve((it) => {
      it.use(session({ secret: "a-secret-of-a-test", resave: false, saveUninitialized: false }));
      it.get("/count", (req, res) => {
        const kept = req.session as unknown as { count?: number };
        kept.count = (kept.count ?? 0) + 1;
        res.json({ count: kept.count });
      });
    });
    const first = await app.inject({ url: "/count" });
    await app.check(first, { status: 200, route: "/count" });
    const cookie = (first.headers["set-cookie"] as unknown as string[])[0]!.split(";")[0]!;
    const second = await app.inject({ url: "/count", headers: { cookie } });
    expect(second.json()).toEqual({ count: 2 });
    await app.check(second, { status: 200, route: "/count" });
  });

  test("helmet: on every answer, also a 404", async () => {
    await using app = await serve((it, platform) => {
      it.use(helmet());
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

  test.each([
    [createError(409, "Taken"), 409, "CONFLICT", "Taken"],
    [new createError.Unauthorized("Who?"), 401, "AUTH_ERROR", "Who?"],
    [createError(410), 410, "NOT_FOUND", "Gone"],
    [createError(503, "secret"), 503, "OVERLOADED", "Service Unavailable"],
    [createError(500, "secret"), 500, "INTERNAL_ERROR", "An internal error occurred"],
  ])("http-errors: %s", async (thrown, status, code, message) => {
    await using app = await serve((it) => {
      it.get("/fails", () => {
        throw thrown;
      });
    });
    const response = await app.inject({ url: "/fails" });
    expect(errorOf(response).message).toBe(message);
    await app.check(response, { status, route: "/fails", code });
  });

  test("multer: a file, one that is too large, and a field that is not wanted", async () => {
    const files = multer({ limits: { fileSize: 1_000 } });
    await using app = await serve((it) => {
      it.post("/upload", files.single("file"), (req, res) => {
        res.json({ name: req.file?.originalname, bytes: req.file?.size });
      });
      it.post("/none", files.none(), (_req, res) => void res.json({}));
    });
    const post = { method: "POST", url: "/upload" };
    const taken = await app.inject({ ...post, ...upload("hello") });
    expect(taken.json()).toEqual({ name: "a.txt", bytes: 5 });
    await app.check(taken, { status: 200, method: "POST", route: "/upload" });
    await app.check(await app.inject({ ...post, ...upload("x".repeat(2_000)) }), {
      status: 413,
      method: "POST",
      route: "/upload",
      code: "PAYLOAD_TOO_LARGE",
    });
    await app.check(await app.inject({ ...post, url: "/none", ...upload("hello") }), {
      status: 400,
      method: "POST",
      route: "/none",
      code: "VALIDATION_ERROR",
    });
  });

  test("serve-static, express.static and res.sendFile", async () => {
    const root = await mkdtemp(join(tmpdir(), "static-"));
    await writeFile(join(root, "a.txt"), "hello");
    await using app = await serve((it) => {
      it.use("/files", express.static(root));
      it.use("/more", serveStatic(root, { fallthrough: false }));
      it.get("/one", (_req, res) => res.sendFile("a.txt", { root }));
      it.get("/none", (_req, res) => res.sendFile("b.txt", { root }));
      it.get("/download", (_req, res) => res.download(join(root, "a.txt")));
    });
    const whole = await app.inject({ url: "/files/a.txt" });
    expect(whole.body).toBe("hello");
    await app.check(whole, { status: 200, route: "/files/*" });
    const range = await app.inject({ url: "/files/a.txt", headers: { range: "bytes=1-2" } });
    expect(range.body).toBe("el");
    await app.check(range, { status: 206, route: "/files/*" });
    const unchanged = { "if-none-match": String(whole.headers.etag) };
    await app.check(await app.inject({ url: "/files/a.txt", headers: unchanged }), {
      status: 304,
      route: "/files/*",
    });
    await app.check(await app.inject({ url: "/more/a.txt" }), { status: 200, route: "/more/*" });
    for (const url of ["/files/b.txt", "/more/b.txt"]) {
      await app.check(await app.inject({ url }), { status: 404, route: "", code: "NOT_FOUND" });
    }
    const one = await app.inject({ url: "/one", headers: { range: "bytes=0-1" } });
    expect(one.body).toBe("he");
    await app.check(one, { status: 206, route: "/one" });
    await app.check(await app.inject({ url: "/none" }), {
      status: 404,
      route: "/none",
      code: "NOT_FOUND",
    });
    const download = await app.inject({ url: "/download" });
    expect(download.headers["content-disposition"]).toMatch(/^attachment; filename="?a\.txt"?$/);
    await app.check(download, { status: 200, route: "/download" });
  });
});

describe("routers and middleware", () => {
  test("what answers past all routes is named by where it is mounted", async () => {
    expect.hasAssertions();
    const root = await mkdtemp(join(tmpdir(), "static-"));
    await writeFile(join(root, "a.txt"), "hello");
    const inner = Router({ mergeParams: true });
    inner.use("/files", express.static(root));
    const guarded = Router();
    guarded.use((_req, res) => void res.sendStatus(204));
    await using app = await serve((it) => {
      it.use("/tenants/:tenant", inner);
      it.use("/tenants/:tenant/guarded", guarded);
      it.use(inner);
      const inside = express().use("/files", express.static(root));
      it.use("/app", inside);
      inside.get("/one/:id", (_req, res) => void res.json({}));
      inside.get("/broken", () => Promise.reject(new AppError("CONFLICT", "Taken")));
    });
    for (const [url, status, route] of [
      ["/tenants/7/files/a.txt", 200, "/tenants/{tenant}/files/*"],
      ["/tenants/8/guarded/x?y=/z", 204, "/tenants/{tenant}/guarded/*"],
      ["/files/a.txt", 200, "/files/*"],
      ["/app/files/a.txt", 200, "/app/*"],
      ["/app/one/7", 200, "/app/*"],
      ["/app/broken", 409, "/app/*"],
      ["/tenants/7/nowhere", 404, ""],
    ] as const) {
      await app.check(await app.inject({ url }), { status, route });
    }
  });

  test("an application that is called as a function, as vhost does", async () => {
    const inner = Router().get("/:id", (req, res) => void res.json(req.params));
    const other = express().use("/items", inner);
    other.get("/broken", () => Promise.reject(new AppError("CONFLICT", "Taken")));
    other.post("/echo", express.text(), (req, res) => void res.send(req.body));
    await using app = await serve((it) => {
      it.use((req, res, next) => {
        if (req.hostname === "other.test") other(req, res, next);
        else next();
      });
      it.get("/", (_req, res) => void res.send("main"));
    });
    const headers = { host: "other.test" };
    const item = await app.inject({ url: "/items/7", headers });
    await app.check(item, { status: 200, route: "/items/{id}" });
    const broken = await app.inject({ url: "/broken", headers });
    await app.check(broken, { status: 409, route: "/broken", code: "CONFLICT" });
    const waiting = { ...headers, expect: "100-continue", "content-type": "text/plain" };
    const echo = { method: "POST", url: "/echo", headers: waiting, payload: "said" };
    const echoed = await app.inject(echo);
    expect(echoed.body).toBe("said");
    await app.check(echoed, { status: 200, method: "POST", route: "/echo" });
    expect(app.logs.find(({ route }) => route === "/echo")).toMatchObject({ bytes: 4 });
    await app.check(await app.inject({ url: "/nowhere", headers }), { status: 404, route: "" });
    await app.check(await app.inject({ url: "/" }), { status: 200, route: "/" });
  });

  test("nested routers: the whole name of the route, also when it throws", async () => {
    const inner = Router({ mergeParams: true });
    inner.get("/parts/:part", (req, res) => void res.json(req.params));
    inner.get("/fails", () => Promise.reject(new AppError("CONFLICT", "Taken")));
    inner.get("/breaks", () => {
      throw new Error("secret");
    });
    const outer = Router();
    outer.use("/:thing", inner);
    await using app = await serve((it) => void it.use("/v2", outer));
    const response = await app.inject({ url: "/v2/7/parts/8" });
    expect(response.json()).toEqual({ thing: "7", part: "8" });
    await app.check(response, { status: 200, route: "/v2/{thing}/parts/{part}" });
    await app.check(await app.inject({ url: "/v2/7/fails" }), {
      status: 409,
      route: "/v2/{thing}/fails",
      code: "CONFLICT",
    });
    const broken = await app.inject({ url: "/v2/7/breaks" });
    expect(broken.body).not.toContain("secret");
    await app.check(broken, { status: 500, route: "/v2/{thing}/breaks", code: "INTERNAL_ERROR" });
    const refused = await app.inject({ method: "DELETE", url: "/v2/7/parts/8" });
    expect(refused.headers.allow).toBe("GET, HEAD");
    await app.check(refused, {
      status: 405,
      method: "DELETE",
      route: "",
      code: "METHOD_NOT_ALLOWED",
    });
    await app.check(await app.inject({ url: "/v2/7/nothing" }), {
      status: 404,
      route: "",
      code: "NOT_FOUND",
    });
  });

  test("declared routes on a router", async () => {
    expect.hasAssertions();
    await using app = await serve((it, platform) => {
      const router = Router();
      router.use((req, _res, next) => {
        if (req.headers.authorization === undefined) throw new AppError("AUTH_ERROR", "Who?");
        next();
      });
      registerRoutes(router, [declared, create], platform);
      it.use("/v2", router);
    });
    const url = "/v2/declared/1";
    const headers = { authorization: "me" };
    await app.check(await app.inject({ url }), { status: 401, route: "", code: "AUTH_ERROR" });
    await app.check(await app.inject({ url, headers }), {
      status: 200,
      route: "/v2/declared/{id}",
    });
  });

  test("an error middleware of the team's, and what it leaves to the service", async () => {
    class Teapot extends Error {}
    const teapots: ErrorRequestHandler = (error, _req, res, next) => {
      if (error instanceof Teapot) res.status(418).json({ teapot: true });
      else next(error);
    };
    await using app = await serve((it) => {
      it.get("/teapot", () => Promise.reject(new Teapot()));
      it.get("/other", () => Promise.reject(new AppError("CONFLICT", "Taken")));
      it.use(teapots);
    });
    const teapot = await app.inject({ url: "/teapot", headers: { "x-request-id": "r-418" } });
    expect([teapot.statusCode, teapot.json()]).toEqual([418, { teapot: true }]);
    await app.check(undefined, { status: 418, route: "/teapot", requestId: "r-418" });
    await app.check(await app.inject({ url: "/other" }), {
      status: 409,
      route: "/other",
      code: "CONFLICT",
    });
  });

  test("server-sent events by hand, until the client leaves", async () => {
    let closed = false;
    await using app = await serve((it) => {
      it.get("/events", (req, res) => {
        res.writeHead(200, { "Content-Type": "text/event-stream" });
        res.write("data: 1\n\n");
        req.on("close", () => (closed = true));
      });
    });
    const headers = { "x-request-id": "r-sse" };
    const sent = open(`${app.url}/events`, { headers }).end();
    sent.on("error", () => {});
    const [response] = await once(sent, "response");
    expect(response.headers["x-request-id"]).toBe("r-sse");
    response.on("error", () => {});
    expect(String((await once(response, "data"))[0])).toBe("data: 1\n\n");
    sent.destroy();
    await app.check(undefined, { status: 499, route: "/events", requestId: "r-sse" });
    await expect.poll(() => closed).toBe(true);
  });

  test("a piped stream that is abandoned", async () => {
    expect.hasAssertions();
    const never = new PassThrough();
    await using app = await serve((it) => {
      it.get("/never", (_req, res) => {
        never.write("a");
        never.pipe(res);
      });
    });
    const headers = { "x-request-id": "r-never" };
    const sent = open(`${app.url}/never`, { headers }).end();
    sent.on("error", () => {});
    const [response] = await once(sent, "response");
    response.on("error", () => {});
    sent.destroy();
    await app.check(undefined, { status: 499, route: "/never", requestId: "r-never" });
  });

  test("an answer that the service breaks off", async () => {
    await using app = await serve((it) => {
      it.get("/breaks", (_req, res, next) => {
        res.write("a");
        setTimeout(() => next(new Error("secret")), 5);
      });
    });
    const headers = { "x-request-id": "r-breaks" };
    await expect(app.inject({ url: "/breaks", headers })).rejects.toThrow("aborted");
    await app.check(undefined, { status: 500, route: "/breaks", requestId: "r-breaks" });
  });

  test("a pipeline of the team's own whose source fails is the service's fault", async () => {
    await using app = await serve((it) => {
      // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 passes rejections on
      it.get("/pipeline", async (_req, res) => {
        const source = new PassThrough();
        source.write("a");
        setTimeout(() => source.destroy(new Error("the reason")), 20);
        await pipeline(source, res);
      });
    });
    const headers = { "x-request-id": "r-pipeline" };
    await expect(app.inject({ url: "/pipeline", headers })).rejects.toThrow("aborted");
    await app.check(undefined, { status: 500, route: "/pipeline", requestId: "r-pipeline" });
    const lines = app.logs.filter(({ level }) => level === "error");
    expect(JSON.stringify(lines)).toContain("the reason");
  });

  test("an answer that never comes is cut off when the service stops", async () => {
    expect.hasAssertions();
    const arrived = Promise.withResolvers<void>();
    const stopped = await (async () => {
      await using app = await serve((it) => {
        it.get("/never", () => arrived.resolve());
      });
      const headers = { "x-request-id": "r-cut" };
      open(`${app.url}/never`, { headers })
        .on("error", () => {})
        .end();
      await arrived.promise;
      return app;
    })();
    await stopped.check(undefined, { status: 503, route: "/never", requestId: "r-cut" });
  });

  test("validate: on a route of the team's own", async () => {
    await using app = await serve((it) => {
      it.post(
        "/people/:id",
        validate("params", z.object({ id: z.coerce.number() })),
        validate("query", z.object({ tag: z.array(z.string()).optional() })),
        validate("body", z.object({ name: z.string(), age: z.number().default(1) })),
        (req, res) => void res.json({ params: req.params, query: req.query, body: req.body }),
      );
    });
    const post = { method: "POST", url: "/people/7?tag=a", payload: { name: "a" } };
    const response = await app.inject(post);
    expect(response.json()).toEqual({
      params: { id: 7 },
      query: { tag: ["a"] },
      body: { name: "a", age: 1 },
    });
    await app.check(response, { status: 200, method: "POST", route: "/people/{id}" });
    const refused = await app.inject({ ...post, payload: {} });
    expect(errorOf(refused).details).toMatchObject([{ field: "body.name" }]);
    await app.check(refused, {
      status: 400,
      method: "POST",
      route: "/people/{id}",
      code: "VALIDATION_ERROR",
    });
    const bad = await app.inject({ ...post, url: "/people/x" });
    expect(errorOf(bad).details).toMatchObject([{ field: "params.id" }]);
  });

  test("throws of any kind, at once and later", async () => {
    await using app = await serve((it) => {
      it.get("/string", () => {
        // oxlint-disable-next-line typescript/only-throw-error -- what a handler may do all the same
        throw "secret";
      });
      it.get("/async", async () => {
        await Promise.resolve();
        throw new Error("secret");
      });
      it.get("/status", async () => {
        throw Object.assign(new Error("Gone"), { status: 410 });
      });
      it.get("/next", (_req, _res, next) =>
        next(Object.assign(new Error("No"), { statusCode: 403 })),
      );
    });
    for (const [route, status, code] of [
      ["/string", 500, "INTERNAL_ERROR"],
      ["/async", 500, "INTERNAL_ERROR"],
      ["/status", 410, "NOT_FOUND"],
      ["/next", 403, "FORBIDDEN"],
    ] as const) {
      const response = await app.inject({ url: route });
      expect(response.body).not.toContain("secret");
      await app.check(response, { status, route, code });
    }
  });

  test("app.all, app.route, several handlers and a wildcard", async () => {
    await using app = await serve((it) => {
      it.all("/all", (_req, res) => void res.json({}));
      it.route("/chain")
        .all((_req, _res, next) => next())
        .get((_req, _res, next) => next())
        .get((_req, res) => void res.json({}))
        .post((_req, res) => void res.sendStatus(202));
      it.get("/rest/*path", (req, res) => void res.json(req.params));
    });
    await app.check(await app.inject({ method: "DELETE", url: "/all" }), {
      status: 200,
      method: "DELETE",
      route: "/all",
    });
    await app.check(await app.inject({ url: "/chain" }), { status: 200, route: "/chain" });
    const posted = await app.inject({ method: "POST", url: "/chain" });
    await app.check(posted, { status: 202, method: "POST", route: "/chain" });
    const refused = await app.inject({ method: "PUT", url: "/chain" });
    expect(refused.headers.allow).toBe("GET, HEAD, POST");
    await app.check(await app.inject({ url: "/rest/a/b" }), { status: 200, route: "/rest/{path}" });
  });
});

test("an upload that the client breaks off is the client's", async () => {
  expect.hasAssertions();
  await using app = await serve((it, platform) => {
    it.post("/upload", multer().any(), (_req, res) => void res.json({}));
    it.post("/raw", express.raw({ type: "*/*" }), (_req, res) => void res.json({}));
    registerRoutes(it, [{ ...create, path: "/json" }], platform);
  });
  for (const path of ["/upload", "/raw"]) await abortUpload(app, path);
  await abortUpload(app, "/json", "application/json");
});

test("the limit of a parser's own is the one that is named", async () => {
  await using app = await serve((it) => {
    it.post("/small", express.json({ limit: 10 }), (_req, res) => void res.json({}));
  });
  const response = await app.inject({ method: "POST", url: "/small", payload: "0123456789" });
  expect(response.statusCode).toBe(200);
  const headers = { "content-type": "application/json" };
  const refused = await app.inject({
    method: "POST",
    url: "/small",
    headers,
    payload: '"0123456789"',
  });
  await app.check(refused, { status: 413, method: "POST", route: "/small" });
  expect(errorOf(refused).message).toBe("The body is larger than 10 bytes");
});

test("supertest with the bare application", async () => {
  let bare: App | undefined;
  await using app = await serve((it, platform) => {
    bare = it;
    registerRoutes(it, [declared, create], platform);
  });
  const response = await supertest(bare!).get("/declared/7").set("x-request-id", "r-super");
  expect([response.status, response.body]).toEqual([200, { id: "7" }]);
  expect(response.headers["x-request-id"]).toBe("r-super");
  await app.check(undefined, { status: 200, route: "/declared/{id}", requestId: "r-super" });
  const refused = await supertest(bare!).post("/declared").send({});
  expect(refused.status).toBe(400);
  expect(refused.body).toMatchObject({
    error: { code: "VALIDATION_ERROR", request_id: refused.headers["x-request-id"] },
  });
  expect((await supertest(bare!).get("/nowhere")).body).toMatchObject({
    error: { code: "NOT_FOUND" },
  });
});

test("mount takes the application of createExpress alone", async () => {
  await expect(mount(express())).rejects.toThrow("createExpress");
});

describe("errors that plain Express has its own way with", () => {
  test("a status that was set before an error is kept", async () => {
    await using app = await serve((it) => {
      it.get("/gone", (_req, res, next) => {
        res.status(404);
        next(new Error("row 17 of table x"));
      });
    });
    const response = await app.inject({ url: "/gone" });
    expect([response.statusCode, errorOf(response).code]).toEqual([404, "NOT_FOUND"]);
    expect(response.body).not.toContain("row 17");
  });

  test("a form without a boundary is the caller's fault", async () => {
    await using app = await serve((it) => {
      it.post("/upload", multer().none(), (_req, res) => void res.json({}));
    });
    const headers = { "content-type": "multipart/form-data" };
    const response = await app.inject({ method: "POST", url: "/upload", headers, payload: "x" });
    expect([response.statusCode, errorOf(response).code]).toEqual([400, "VALIDATION_ERROR"]);
  });
});
