import Fastify, {
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
  type RouteOptions,
} from "fastify";
import type { AdapterOptions, Endpoint, Router } from "./endpoint.ts";
import {
  BODY_LIMIT_BYTES,
  bodyMalformed,
  bodyNotJson,
  bodyTooLarge,
  MAX_PARAM_LENGTH,
  pathMalformed,
} from "./refusals.ts";
import { exchangeOf } from "./requests.ts";

/**
 * Serves `endpoints` with Fastify: its router and its body parser. The answer is written by the platform, the same for
 * every framework, so a plugin that changes answers has no effect here; `app.ts` has a list for such things.
 */
export async function createRouter(
  endpoints: readonly Endpoint[],
  { serve, fail, explainUnmatched }: AdapterOptions,
): Promise<Router> {
  const templates = new Map(endpoints.map(({ path }) => [toFastifyPath(path), path]));
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    if ((error as Partial<FastifyError>)?.code === "FST_ERR_MAX_PARAM_LENGTH") {
      return refuseUnmatched(request, reply);
    }
    reply.hijack();
    const exchange = exchangeOf(request.raw);
    exchange.route = templates.get(request.routeOptions.url ?? "") ?? "";
    fail(exchange, toPlatformError(error));
  };
  const refuseUnmatched = (request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack();
    fail(exchangeOf(request.raw), explainUnmatched(exchangeOf(request.raw)));
  };

  // To Fastify alone, nothing between two slashes is a value.
  const refuseEmptyParams: onRequestHookHandler = (request, reply, done) => {
    if (Object.values(request.params as object).includes("")) refuseUnmatched(request, reply);
    else done();
  };

  const routeOf = (endpoint: Endpoint): RouteOptions => {
    const serveNow = (request: FastifyRequest, reply: FastifyReply): void => {
      reply.hijack();
      serve(endpoint, request, exchangeOf(request.raw));
    };
    const hooks = endpoint.path.includes("{") ? [refuseEmptyParams] : [];
    return {
      method: endpoint.method,
      url: toFastifyPath(endpoint.path),
      // The last step before Fastify reads the body: there is no need to go on when it is not to read one.
      onRequest: endpoint.parsesBody ? hooks : [...hooks, serveNow],
      handler: serveNow,
    };
  };

  const fastify = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    onProtoPoisoning: "error",
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: refuse,
  });
  fastify.setErrorHandler(refuse);
  // In a hook, because Fastify reads the body before it calls the handler, and may refuse that instead. In a context of
  // its own, because the routes then need no hook at all.
  await fastify.register(async (unmatched) => {
    unmatched.addHook("onRequest", refuseUnmatched);
    unmatched.setNotFoundHandler(refuseUnmatched);
  });
  // To Fastify alone, these have no body, also where a route declares one.
  for (const method of ["GET", "HEAD"]) {
    fastify.addHttpMethod(method, { hasBody: true, overrideExisting: true });
  }
  // Only JSON is spoken here: without this, text/plain would be taken for a string.
  fastify.removeContentTypeParser("text/plain");

  for (const endpoint of endpoints) fastify.route(routeOf(endpoint));

  await fastify.ready();
  return { route: ({ req, res }) => fastify.routing(req, res), messages: {} };
}

function toFastifyPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

/** Fastify's own refusals in the words of the standard; anything else goes on as it is. */
function toPlatformError(error: unknown): unknown {
  const { code, statusCode } = error as Partial<FastifyError>;
  if (typeof code !== "string" || !code.startsWith("FST_")) {
    return error instanceof SyntaxError && statusCode === 400 ? bodyMalformed(error) : error;
  }
  if (statusCode === 413) return bodyTooLarge();
  if (statusCode === 415) return bodyNotJson();
  if (code.startsWith("FST_ERR_CTP_")) return bodyMalformed(error);
  if (code === "FST_ERR_BAD_URL") return pathMalformed(error);
  return error;
}
