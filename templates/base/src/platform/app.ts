import type { RequestListener } from "node:http";
import type { Deps } from "../deps.ts";
import { docsEndpoints } from "./docs/endpoints.ts";
import { answerError, compileRoute, send } from "./endpoint.ts";
import { healthRoutes, type Readiness } from "./health.ts";
import { createListener } from "./http/adapter.ts";
import { openApiDocument } from "./openapi.ts";
import type { Exchange, Requests } from "./requests.ts";
import type { Route } from "./route.ts";
import { explainUnmatched } from "./unmatched.ts";

/** Runs before the framework sees a request: answers it, throws, or calls `next` (at once or later). */
export type Middleware = (exchange: Exchange, next: () => void) => void | Promise<void>;

/** What the platform hands to `createApp`, beside the dependencies. */
export interface Platform {
  requests: Requests;
  readiness: Readiness;
}

/** The parts of a service, in the order in which a request meets them. */
export interface AppParts {
  deps: Deps;
  platform: Platform;
  middleware: Middleware[];
  routes: Route[];
}

/** Puts the service together: ids, log, metrics and span around the middleware, then the framework's router. */
export async function assembleApp({
  deps,
  platform,
  middleware,
  routes,
}: AppParts): Promise<RequestListener> {
  const { log, settings } = deps;
  const served = [...healthRoutes(settings, platform.readiness), ...routes];
  const endpoints = served.map((route) => compileRoute(route, deps));
  if (settings.ENVIRONMENT !== "prod") {
    endpoints.push(...docsEndpoints(openApiDocument(settings.SERVICE_NAME, served)));
  }
  const framework = await createListener(endpoints, {
    answerError: (error, exchange) => answerError(error, log, exchange),
    explainUnmatched: explainUnmatched(endpoints),
  });

  const fail = (exchange: Exchange, error: unknown): void => {
    const answer = answerError(error, log, exchange);
    if (!exchange.res.headersSent) send(exchange, answer);
  };
  return platform.requests.track((exchange) => runChain(middleware, exchange, framework, fail));
}

function runChain(
  middleware: readonly Middleware[],
  exchange: Exchange,
  last: (exchange: Exchange) => void,
  fail: (exchange: Exchange, error: unknown) => void,
): void {
  const run = async (index: number): Promise<void> => {
    const step = middleware[index];
    if (step === undefined) return last(exchange);
    try {
      await step(exchange, () => void run(index + 1));
    } catch (error) {
      fail(exchange, error);
    }
  };
  void run(0);
}
