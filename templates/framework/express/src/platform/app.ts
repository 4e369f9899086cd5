import type { Server } from "node:http";
import { resolve } from "node:path";
import { finished, pipeline, type Readable } from "node:stream";
import cors from "cors";
import express, {
  type ErrorRequestHandler,
  type Express,
  type IRouter,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from "express";
import { parse as parseQuery } from "fast-querystring";
import type { z } from "zod";
import { asError } from "./errors.ts";
import { healthRoutes } from "./health.ts";
import {
  type Answer,
  CompiledRoute,
  operationOf,
  type RequestParts,
} from "./http/declared-route.ts";
import { documentationPages } from "./http/docs.ts";
import {
  followRoutes,
  inMatchingOrder,
  mountOf,
  normalTarget,
  refuseMethod,
  toExpressError,
  toExpressPath,
} from "./http/express.ts";
import { readJson } from "./http/json-body.ts";
import { shadowedMethods } from "./http/params.ts";
import {
  BODY_HEADERS,
  corsOptions,
  MAX_PARAM_LENGTH,
  notFound,
  pathMalformed,
} from "./http/refusals.ts";
import type { Platform } from "./http/requests.ts";
import { exchangeOf } from "./http/exchange.ts";
import { checkerOf, checkParts, type Part, partChecks } from "./http/schemas.ts";
import type { Method, Route } from "./route.ts";

export type { Platform } from "./http/requests.ts";

/** What `createApp` returns. */
export type App = Express;

/** What `mount` needs of an application; kept here, because an Express application holds nothing of its own. */
const created = new WeakMap<App, { platform: Platform; server: Server }>();

/**
 * An Express application for this service: CORS, health routes and documentation, before all middleware of the service's
 * own, so that no guard and no rate limit gets in a probe's way.
 */
export function createExpress(platform: Platform): App {
  const { deps, requests, readiness, documented } = platform;
  const { settings } = deps;
  const app = express();
  app.disable("x-powered-by");
  app.enable("case sensitive routing");
  app.enable("strict routing");
  app.set("query parser", parseQuery);
  // At once, so that applications which are mounted on this one inherit what follows requests.
  const server = requests.createServer(app, app, (req) => mountOf(app, req as Request));
  created.set(app, { platform, server });
  followRoutes(app);
  const entrance = app as Express & { handle: RequestHandler };
  const handle = entrance.handle.bind(app);
  entrance.handle = (req, res, next) => {
    requests.adopt(req, res);
    const target = normalTarget(req.url);
    if (target === undefined) return requests.refuse(req, res, pathMalformed());
    // Of the whole server, which no route can take, and which Express warns of.
    if (target === "*") return requests.refuse(req, res, notFound());
    req.url = target;
    handle(req, res, next);
  };

  if (settings.CORS_ORIGINS.length > 0) app.use(cors(corsOptions(settings)));
  registerRoutes(app, healthRoutes(settings, readiness), platform);
  if (settings.ENVIRONMENT !== "prod") {
    // Loaded when somebody reads it: a start has no use for it.
    const describe = async () =>
      (await import("./http/openapi.ts")).openApiDocument(settings, documented);
    for (const page of documentationPages(describe)) {
      // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 passes rejections on
      app.get(page.path, async (req, res) => {
        const { status, headers, body } = await page.answer(req.headers["if-none-match"]);
        res.statusCode = status;
        for (const name in headers) res.setHeader(name, headers[name]!);
        if (body !== undefined) res.setHeader("Content-Length", body.length);
        res.end(body);
      });
    }
  }
  return app;
}

/**
 * Registers declared routes on an application or a router, as ordinary routes: middleware before them applies to them.
 * @throws {Error} naming the route when a path or its parameters cannot be used, or when two of them are the same.
 */
export function registerRoutes(app: IRouter, routes: readonly Route[], platform: Platform): void {
  const compiled = routes.map((route) => new CompiledRoute(route, platform));
  platform.documented.push(...routes.map(operationOf));
  for (const { method, path } of shadowedMethods(routes)) {
    app[method.toLowerCase() as Lowercase<Method>](toExpressPath(path), refuseMethod);
  }
  for (const one of inMatchingOrder(compiled)) {
    const method = one.route.method.toLowerCase() as Lowercase<Method>;
    app[method](toExpressPath(one.route.path), toHandler(one));
  }
}

/** Checks a part of a request on a route of your own, and puts what the schema makes of it in its place. */
export function validate(part: Part, schema: z.ZodType): RequestHandler {
  const check = checkerOf(part, schema);
  return async (req, _res, next) => {
    const given = part === "body" && req.body === undefined ? await readJson(req) : req[part];
    // The query is a getter of Express's.
    Object.defineProperty(req, part, {
      value: await check(given),
      configurable: true,
      writable: true,
    });
    next();
  };
}

/** An application that is ready to be listened for. */
export interface Mounted {
  server: Server;
  /** Ends what the application itself holds: nothing, with Express. */
  close(): Promise<void>;
}

/** Finishes what `createApp` has built: what no route takes is 404 or 405, and every error has the standard's body. */
export async function mount(app: App): Promise<Mounted> {
  const known = created.get(app);
  if (known === undefined) throw new Error("createApp must return the app of createExpress");
  // As a layer, because Express has an answer of its own to an OPTIONS that no layer takes.
  app.use(refuseMethod);
  app.use(answerErrors(known.platform));
  return { server: known.server, close: async () => {} };
}

/** The last error middleware: what those of the service's own leave to it. */
function answerErrors({ requests }: Platform): ErrorRequestHandler {
  // Express knows an error middleware by its four parameters.
  return (thrown: unknown, req, res, _next) => {
    if (!res.headersSent) for (const name of BODY_HEADERS) res.removeHeader(name);
    requests.refuse(req, res, toExpressError(thrown, res.statusCode), thrown);
  };
}

function toHandler(compiled: CompiledRoute): RequestHandler {
  const { route, readsJson } = compiled;
  const { params, query, headers, body, depends } = route;
  const hasParams = route.path.includes("{");
  const checks = partChecks({ params, query, headers, body: readsJson ? body : undefined });

  /** Dependencies come first: who may not call need not be listened to. */
  async function prepare(parts: RequestParts, req: Request, res: Response): Promise<void> {
    if (depends !== undefined) await compiled.openDependencies(parts, req, res);
    // A middleware may have read it already, as `express.json()` does.
    if (readsJson) parts.body = req.body === undefined ? await readJson(req) : req.body;
    await checkParts(checks, parts);
  }

  return (req, res, next) => {
    if (hasParams && Object.values(req.params).some(isTooLong)) return next();
    const parts: RequestParts = {
      params: req.params,
      query: req.query,
      headers: req.headers,
      body: undefined,
    };
    const fail = (thrown: unknown): void => next(asError(thrown));
    const answer = (): void => {
      const given = compiled.run(parts, req, res);
      if (given instanceof Promise) given.then((it) => send(res, it, next)).catch(fail);
      else send(res, given, next);
    };
    try {
      const isDirect = !readsJson && depends === undefined;
      const preparing = isDirect ? checkParts(checks, parts) : prepare(parts, req, res);
      if (preparing instanceof Promise) preparing.then(answer).catch(fail);
      else answer();
    } catch (error) {
      fail(error);
    }
  };
}

function isTooLong(param: string | string[]): boolean {
  return param.length > MAX_PARAM_LENGTH;
}

function send(res: Response, answer: Answer, next: NextFunction): void {
  const { kind, value, headers, contentType } = answer;
  res.statusCode = answer.status;
  for (const name in headers) res.append(name, headers[name]);
  if (kind === "file") return sendFile(res, answer, next);
  if (contentType !== "") res.setHeader("Content-Type", contentType);
  if (kind === "stream") return sendStream(res, value as Readable, next);
  if (kind === "empty") return void res.end();
  const body = kind === "json" ? answer.encode(value) : (value as string | Uint8Array);
  res.setHeader("Content-Length", Buffer.byteLength(body));
  res.end(body);
}

function sendFile(res: Response, { value, contentType }: Answer, next: NextFunction): void {
  if (contentType !== "") res.setHeader("Content-Type", contentType);
  res.sendFile(resolve(value as string), { dotfiles: "allow", cacheControl: false }, (error) => {
    const { code } = Object(error) as NodeJS.ErrnoException;
    if (code === "EISDIR") next(notFound());
    // That the client left is not a failure.
    else if (error !== undefined && code !== "ECONNABORTED") next(error);
  });
}

/** An error before the first byte is answered as one; after it, the client sees that the answer broke off. */
function sendStream(res: Response, stream: Readable, next: NextFunction): void {
  const fail = (error: NodeJS.ErrnoException | null | undefined): void => {
    // That the client left is not a failure.
    if (error && exchangeOf(res.req)?.hasLeft !== true) next(error);
  };
  const stopWaiting = finished(stream, { writable: false }, fail);
  stream.once("readable", () => {
    stopWaiting();
    pipeline(stream, res, fail);
  });
}
