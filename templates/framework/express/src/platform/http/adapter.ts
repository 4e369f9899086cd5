import express, { type Express, type Request, type Response } from "express";
import { parse as parseQuery } from "fast-querystring";
import type { AdapterOptions, Endpoint, Router } from "./endpoint.ts";
import { IncomingMessage, ServerResponse } from "./node-http.ts";
import { MAX_PARAM_LENGTH, pathMalformed } from "./refusals.ts";
import { exchangeOf } from "./requests.ts";
import type { Method } from "../route.ts";
import { readJson } from "./body.ts";
import { normalTarget, queryOf } from "./target.ts";

/**
 * Serves `endpoints` with Express: its router alone. The answer is written by the platform, the same for every
 * framework. Register Express middleware here, before the endpoints; `app.ts` has a list for what needs no Express.
 */
export async function createRouter(
  endpoints: readonly Endpoint[],
  { serve, fail, explainUnmatched }: AdapterOptions,
): Promise<Router> {
  const app = express();
  app.disable("x-powered-by");
  app.enable("case sensitive routing");
  app.enable("strict routing");
  app.set("query parser", parseQuery);

  for (const endpoint of inMatchingOrder(endpoints)) {
    const hasParams = endpoint.path.includes("{");
    app[toExpressMethod(endpoint.method)](
      toExpressPath(endpoint.path),
      (request, _response, next) => {
        const { params, headers } = request;
        if (hasParams && Object.values(params).some(({ length }) => length > MAX_PARAM_LENGTH)) {
          return next();
        }
        const exchange = exchangeOf(request);
        const query = parseQuery(queryOf(request.url));
        if (!endpoint.parsesBody) {
          return serve(endpoint, { params, query, headers, body: undefined }, exchange);
        }
        readJson(request).then(
          (body) => serve(endpoint, { params, query, headers, body }, exchange),
          (error: unknown) => {
            exchange.route = endpoint.path;
            fail(exchange, error);
          },
        );
      },
    );
  }

  // As a layer, because Express has an answer of its own to an OPTIONS that no layer takes.
  app.use((request) => fail(exchangeOf(request), explainUnmatched(exchangeOf(request))));

  return {
    messages: messagesOf(app),
    route(exchange) {
      const { req, res } = exchange;
      const target = normalTarget(req.url!);
      if (target === undefined) return fail(exchange, pathMalformed());
      req.url = target;
      app(req as Request, res as Response, (error: unknown) => fail(exchange, error));
    },
  };
}

/**
 * Classes whose messages are Express's own from the start. Of any others Express changes the prototype, and all code
 * that touches them afterwards is slower: a seventh of a request.
 */
function messagesOf(app: Express): Router["messages"] {
  class ExpressRequest extends IncomingMessage {}
  class ExpressResponse<Of extends ExpressRequest> extends ServerResponse<Of> {}
  app.request = Object.setPrototypeOf(ExpressRequest.prototype, app.request);
  app.response = Object.setPrototypeOf(ExpressResponse.prototype, app.response);
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}

/**
 * Express takes the first route that fits. The order of declaration shall not matter, so that fixed text comes before
 * a parameter, segment by segment. @throws {Error} when two endpoints could not be told apart.
 */
function inMatchingOrder(endpoints: readonly Endpoint[]): Endpoint[] {
  const shapes = new Set<string>();
  for (const { method, path } of endpoints) {
    const shape = `${method} ${path.replaceAll(/\{\w+\}/g, "{}")}`;
    if (shapes.has(shape)) throw new Error(`two routes for ${method} ${path}`);
    shapes.add(shape);
  }
  // Empty for a path without parameters: those stay in the order of declaration.
  const rank = (endpoint: Endpoint): string =>
    Array.from(endpoint.path.split("/"), (segment) => (segment.startsWith("{") ? "1" : "0"))
      .join("")
      .replace(/0+$/, "");
  // Not localeCompare: the tables that it has loaded are a twentieth of a start.
  return endpoints.toSorted((a, b) => Number(rank(a) > rank(b)) - Number(rank(a) < rank(b)));
}

function toExpressMethod(method: Method): "get" | "post" | "put" | "patch" | "delete" {
  return method.toLowerCase() as Lowercase<Method>;
}

function toExpressPath(path: string): string {
  return encodeURI(path.replaceAll(/\{(\w+)\}/g, ":$1"));
}
