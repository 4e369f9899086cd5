import type { RequestListener, ServerOptions } from "node:http";
import { documentationPages } from "./http/docs.ts";
import { answerError, compileRoute, type Endpoint, type RawInput } from "./http/endpoint.ts";
import { AppError } from "./errors.ts";
import { hasOneHost, ONE_HOST } from "./http/headers.ts";
import { healthRoutes, type Readiness } from "./health.ts";
import { createRouter } from "./http/adapter.ts";
import { openApiDocument } from "./http/openapi.ts";
import { pathMalformed } from "./http/refusals.ts";
import type { Exchange, Requests } from "./http/requests.ts";
import type { ServiceDeps } from "./lifespan.ts";
import type { Route } from "./route.ts";
import { explainUnmatched, refuseMissingMethods } from "./http/unmatched.ts";

/** Runs before the framework sees a request: answers it, throws, or calls `next` (at once or later). */
export type Middleware = (exchange: Exchange, next: () => void) => void | Promise<void>;

/** The whole service, for `createServer(app.serverOptions, app.listener)`. */
export interface App {
  listener: RequestListener;
  serverOptions: ServerOptions;
}

/** What the platform hands to `createApp`, beside the dependencies. */
export interface Platform {
  requests: Requests;
  readiness: Readiness;
}

/** The parts of a service, in the order in which a request meets them. */
export interface AppParts {
  deps: ServiceDeps;
  platform: Platform;
  middleware: Middleware[];
  routes: Route[];
}

/** Puts the service together: ids, log, metrics and span around the middleware, then the framework's router. */
export async function assembleApp({ deps, platform, middleware, routes }: AppParts): Promise<App> {
  const { log, settings } = deps;
  const served = [...healthRoutes(settings, platform.readiness), ...routes];
  const endpoints = served.map((route) => compileRoute(route, deps));
  if (settings.ENVIRONMENT !== "prod") {
    for (const { path, answer } of documentationPages(() => openApiDocument(settings, served))) {
      endpoints.push({
        method: "GET",
        path,
        answer: async (_input, { req }) => ({
          body: undefined,
          ...(await answer(req.headers["if-none-match"])),
        }),
      });
    }
  }
  const fail = (exchange: Exchange, error: unknown): void => {
    try {
      exchange.send(answerError(error, log, exchange));
    } catch (unsendable) {
      exchange.send(answerError(unsendable, log, exchange));
    }
  };
  const serve = (endpoint: Endpoint, input: RawInput, exchange: Exchange): void => {
    exchange.route = endpoint.path;
    try {
      const answer = endpoint.answer(input, exchange);
      if (answer instanceof Promise)
        answer.then((outgoing) => exchange.send(outgoing)).catch((error) => fail(exchange, error));
      else exchange.send(answer);
    } catch (error) {
      fail(exchange, error);
    }
  };
  const explain = explainUnmatched(endpoints);
  const router = await createRouter([...endpoints, ...refuseMissingMethods(endpoints, explain)], {
    serve,
    fail,
    explainUnmatched: explain,
  });
  return {
    listener: platform.requests.track(chain([refuseMalformed, ...middleware], router.route, fail)),
    // Node would refuse a request without a host, and without a body: refuseMalformed looks at it.
    serverOptions: { requireHostHeader: false, ...router.messages },
  };
}

/** A request has a target and one host; RFC 9112, 3.2. */
const refuseMalformed: Middleware = ({ req }, next) => {
  if (req.url === undefined) throw pathMalformed();
  if (!hasOneHost(req)) throw new AppError("VALIDATION_ERROR", ONE_HOST);
  next();
};

function chain(
  middleware: readonly Middleware[],
  last: (exchange: Exchange) => void,
  fail: (exchange: Exchange, error: unknown) => void,
): (exchange: Exchange) => void {
  return middleware.reduceRight<(exchange: Exchange) => void>((next, step) => {
    return (exchange) => {
      try {
        const running = step(exchange, () => next(exchange));
        if (running instanceof Promise) running.catch((error) => fail(exchange, error));
      } catch (error) {
        fail(exchange, error);
      }
    };
  }, last);
}
