import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { basename, dirname, resolve } from "node:path";
import cors from "@fastify/cors";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyContentTypeParser,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type HTTPMethods,
  type RouteOptions,
} from "fastify";
import findMyWay from "find-my-way";
import { asError, errorBody } from "./errors.ts";
import { healthRoutes } from "./health.ts";
import { type Answer, CompiledRoute, operationOf } from "./http/declared-route.ts";
import { documentationPages } from "./http/docs.ts";
import {
  addChecks,
  documentedRoute,
  FailureLog,
  hasJsonSchemas,
  jsonSchemasLoading,
  loadJsonSchemas,
  loadJsonSchemasAfterStart,
  schemaCompilers,
  templateOf,
  toFastifyError,
  toFastifyPath,
  withoutStars,
  type ZodTypeProvider,
} from "./http/fastify.ts";
import { JSON_TYPE, parseJson } from "./http/json-body.ts";
import { shadowedMethods } from "./http/params.ts";
import {
  BODY_HEADERS,
  BODY_LIMIT_BYTES,
  corsOptions,
  MAX_PARAM_LENGTH,
  notFound,
  notFoundOr405,
} from "./http/refusals.ts";
import type { Platform } from "./http/requests.ts";
import { exchangeOf } from "./http/exchange.ts";
import type { Route } from "./route.ts";

export type { Platform } from "./http/requests.ts";

/** What `createApp` returns: a Fastify instance whose routes are typed by their zod schemas. */
export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** An instance or a scope of it, whatever its type provider. */
// oxlint-disable-next-line typescript/no-explicit-any -- of any type provider
type Scope = FastifyInstance<any, any, any, any, any>;

declare module "fastify" {
  interface FastifyContextConfig {
    /** Set on routes that `defineRoute` declared. */
    declared?: Route;
    /** Set on routes that only refuse a method. */
    refuses?: boolean;
  }
  interface FastifyInstance {
    /** Throws 405 with the methods that the request's path has, or 404: for a not-found handler of your own. */
    throwUnmatched(request: FastifyRequest): never;
  }
}

/**
 * A Fastify instance for this service: zod schemas in both directions, the standard's error bodies, CORS, health routes
 * and documentation. Hooks on the instance itself see these too, as in any Fastify: a guard belongs into a scope.
 */
export async function createFastify(platform: Platform): Promise<App> {
  const { deps, requests, documented } = platform;
  const { log, settings } = deps;
  const app: App = Fastify({
    serverFactory: (handler) => requests.createServer(handler as never),
    genReqId: (req) => exchangeOf(req as never)?.requestId ?? "",
    // Every line of the service's log has the request's ids already.
    childLoggerFactory: (_log, _bindings, options) =>
      (Object.keys(options).length > 0 ? log.child({}, options) : log) as never,
    logController: new FailureLog(requests),
    schemaController: { compilersFactory: schemaCompilers },
    bodyLimit: BODY_LIMIT_BYTES,
    onProtoPoisoning: "error",
    // The process manager drains: what arrives while it does is still answered.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: answerError,
  }).withTypeProvider<ZodTypeProvider>();
  // Not as `loggerInstance`: Fastify would then wait for the end of each answer, only to log it.
  Object.assign(app, { log });
  const routeNames = new Map<string, string>();
  const paths = findMyWay({ maxParamLength: MAX_PARAM_LENGTH });
  const methods = new Set<HTTPMethods>();
  if (settings.ENVIRONMENT === "dev") await loadJsonSchemas();
  else loadJsonSchemasAfterStart(app.server);

  function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const error = toFastifyError(thrown, reply.statusCode, request.routeOptions.bodyLimit);
    requests.fail(request.raw, error, thrown);
    for (const name of BODY_HEADERS) if (reply.hasHeader(name)) void reply.removeHeader(name);
    void reply
      .code(error.status)
      .headers(error.headers)
      .type("application/json")
      .serializer(asIs)
      .send(JSON.stringify(errorBody(error)));
  }

  app.setErrorHandler(answerError);
  // Native routes may have a limit of their own.
  app.addContentTypeParser(JSON_TYPE, (request: FastifyRequest, payload, done) =>
    parseJson(request.raw, payload, done, request.routeOptions.bodyLimit),
  );
  // To Fastify alone, these have no body, also where a route declares one.
  for (const method of ["GET", "HEAD"]) {
    app.addHttpMethod(method, { hasBody: true, overrideExisting: true });
  }
  app.addHook("onRoute", (options) => {
    const { method, url, prefix, schema, config } = options;
    const { declared, refuses = false } = config ?? {};
    if (refuses) return;
    addChecks(options);
    if (schema !== undefined && hasJsonSchemas(schema)) void loadJsonSchemas();
    const path = declared === undefined ? templateOf(url) : templateOf(prefix) + declared.path;
    // Readers of metrics do not count that of @fastify/cors as a route.
    if (url !== "*" || method !== "OPTIONS") routeNames.set(url, path);
    for (const one of [method].flat()) {
      // What takes every path tells nothing about one.
      if (url !== "*" && !paths.hasRoute(one as never, url)) paths.on(one as never, url, () => {});
      methods.add(one);
      if (declared === undefined) documented.push(...documentedRoute(one, path, schema));
    }
  });
  app.addHook("onRequest", (request, reply, done) => {
    requests.adopt(request.raw, reply.raw);
    const exchange = exchangeOf(request.raw)!;
    // One that came by `inject` had none before.
    request.id = exchange.requestId;
    exchange.route = routeNames.get(request.routeOptions.url ?? "") ?? "";
    done();
  });
  if (settings.CORS_ORIGINS.length > 0) await app.register(cors, corsOptions(settings));
  registerRoutes(app, healthRoutes(settings, platform.readiness), platform);
  if (settings.ENVIRONMENT !== "prod") {
    // Loaded when somebody reads it: a start has no use for it.
    const describe = async () =>
      (await import("./http/openapi.ts")).openApiDocument(settings, documented);
    for (const page of documentationPages(describe)) {
      app.get(page.path, async (request, reply) => {
        const { status, headers, body } = await page.answer(request.headers["if-none-match"]);
        return reply.code(status).headers(headers).send(body);
      });
    }
  }
  app.decorate("throwUnmatched", ({ raw }) => {
    const path = exchangeOf(raw)?.path ?? "";
    const fitting = [...methods].flatMap((method) => {
      const found = paths.find(method as never, path);
      if (found === null) return [];
      return [{ method, isExact: Object.keys(withoutStars(found.params)).length === 0 }];
    });
    const exact = fitting.filter(({ isExact }) => isExact);
    const allowed = (exact.length > 0 ? exact : fitting).map(({ method }) => method);
    throw notFoundOr405(raw.method ?? "", allowed);
  });
  return app;
}

/**
 * Registers declared routes on an instance or in a scope of it, as ordinary routes: its hooks and plugins apply to them.
 * @throws {Error} naming the route when a path or its parameters cannot be used.
 */
export function registerRoutes(app: Scope, routes: readonly Route[], platform: Platform): void {
  const compiled = routes.map((route) => new CompiledRoute(route, platform));
  const prefix = templateOf(app.prefix);
  platform.documented.push(
    ...routes.map((route) => ({ ...operationOf(route), path: prefix + route.path })),
  );
  // Scopes, because what a parser takes is a matter of the scope: JSON and nothing else, or no body at all.
  for (const [type, parser, readsJson] of [
    [JSON_TYPE, jsonParser, true],
    ["*", noParser, false],
  ] as const) {
    void app.register(async (scope) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser(type, parser);
      for (const one of compiled) if (one.readsJson === readsJson) addRoute(scope, one);
    });
  }
  for (const { method, path } of shadowedMethods(routes)) {
    app.route({
      method,
      url: toFastifyPath(path),
      config: { refuses: true },
      onRequest: async (request) => refuse(request),
      handler: () => {},
    });
  }
}

/** An application that is ready to be listened for. */
export interface Mounted {
  server: Server;
  /** Runs the onClose hooks; the server is closed by then. */
  close(): Promise<void>;
}

/** Finishes what `createApp` has built: what no route takes is 404 or 405, unless the service has an answer of its own. */
export async function mount(app: App): Promise<Mounted> {
  await app.register(async (scope) => {
    // Those of the routes are compiled when all is registered.
    await jsonSchemasLoading();
    try {
      scope.setNotFoundHandler((request) => app.throwUnmatched(request));
    } catch (error) {
      if ((error as Error).message.includes("already set")) return;
      throw error;
    }
    // In a hook, because Fastify would read the body first, and may refuse that instead.
    scope.addHook("onRequest", async (request) => app.throwUnmatched(request));
  });
  await app.ready();
  return { server: app.server, close: () => app.close() };
}

/** A parser of Fastify's; a hook may have put another stream in the place of the request. */
const jsonParser: FastifyContentTypeParser = ({ raw }, payload, done) =>
  parseJson(raw, payload, done);

const noParser: FastifyContentTypeParser = (_request, _payload, done) => done(null, undefined);

function addRoute(scope: Scope, compiled: CompiledRoute): void {
  const { method, path } = compiled.route;
  try {
    scope.route(toRoute(compiled));
  } catch (error) {
    // Fastify's own message has the path as it is written for its router.
    if ((error as FastifyError).code !== "FST_ERR_DUPLICATED_ROUTE") throw error;
    const name = `${method} ${templateOf(scope.prefix)}${path}`;
    throw new Error(`two routes for ${name}`, { cause: error });
  }
}

function toRoute(compiled: CompiledRoute): RouteOptions {
  const { route } = compiled;
  const { params, query, headers, body, depends } = route;
  return {
    method: route.method,
    url: toFastifyPath(route.path),
    config: { declared: route },
    // Fastify warns of a part that is there and undefined.
    schema: {
      ...(params && { params }),
      ...(query && { querystring: query }),
      ...(headers && { headers }),
      ...(compiled.readsJson && { body }),
    },
    onRequest: [
      ...(body === undefined ? [ignoreType] : []),
      ...(route.path.includes("*") ? [dropStars] : []),
      ...(depends === undefined
        ? []
        : [
            async (request: FastifyRequest, { raw }: FastifyReply) =>
              compiled.openDependencies(request, request.raw, raw),
          ]),
    ],
    handler(request, reply) {
      const answer = compiled.run(request, request.raw, reply.raw);
      if (answer instanceof Promise) {
        answer.then((given) => sendAnswer(reply, given)).catch((thrown) => fail(reply, thrown));
      } else sendAnswer(reply, answer);
    },
  };
}

/** With a serializer Fastify adds no charset, which JSON does not have; RFC 8259, 11. */
function asIs(text: unknown): string {
  return text as string;
}

function dropStars(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  request.params = withoutStars(request.params as object);
  done();
}

/** Where a route declares no body, Fastify would refuse one of a type that it cannot read. */
function ignoreType({ raw }: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  // Not deleted: headers that something was deleted from are slower for V8.
  if (raw.headers["content-type"] !== undefined) raw.headers["content-type"] = undefined;
  done();
}

/** No route takes this request, whatever Fastify has found. */
function refuse(request: FastifyRequest): never {
  const exchange = exchangeOf(request.raw);
  if (exchange !== undefined) exchange.route = "";
  return request.server.throwUnmatched(request);
}

function fail(reply: FastifyReply, thrown: unknown): void {
  void reply.send(asError(thrown));
}

function sendAnswer(reply: FastifyReply, answer: Answer): void {
  const { kind, value, contentType, headers } = answer;
  void reply.code(answer.status);
  for (const name in headers) void reply.header(name, headers[name]);
  if (contentType !== "") void reply.type(contentType);
  if (kind === "file") {
    sendFile(reply, value as string).catch((thrown) => fail(reply, thrown));
  } else if (kind !== "json") void reply.send(value);
  // To Fastify, a string or null is a whole body already.
  else if (typeof value !== "object" || value === null) {
    void reply.serializer(asIs).send(answer.encode(value));
  } else void reply.serializer(answer.encode).send(value);
}

/** With ranges and conditions, by what @fastify/static is made of. */
async function sendFile(reply: FastifyReply, path: string): Promise<void> {
  const { send } = await import("@fastify/send");
  const file = await send(reply.request.raw, encodeURIComponent(basename(path)), {
    root: dirname(resolve(path)),
    dotfiles: "allow",
  });
  if (file.type === "error") throw file.metadata.error;
  if (file.type === "directory") throw notFound();
  const { "Content-Type": type, ...headers } = file.headers;
  if (!reply.hasHeader("content-type") && type !== undefined) void reply.type(type);
  void reply.code(file.statusCode).headers(headers).send(file.stream);
}
