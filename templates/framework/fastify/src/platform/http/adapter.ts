import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from "fastify";
import type { Endpoint, RawInput } from "../endpoint.ts";
import { AppError } from "../errors.ts";
import type { Exchange } from "../requests.ts";

const BODY_LIMIT_BYTES = 1_048_576;

/** What the adapter asks back from the platform. */
export interface AdapterOptions {
  /** Lets an endpoint answer. */
  serve(endpoint: Endpoint, input: RawInput, exchange: Exchange): void;
  /** Answers with an error, whatever was thrown. */
  fail(exchange: Exchange, thrown: unknown): void;
  explainUnmatched(path: string): AppError;
}

/**
 * Serves `endpoints` with Fastify: its router and its body parser. The answer is written by the platform, the same for
 * every framework, so a plugin that changes answers has no effect here; `app.ts` has a list for such things.
 */
export async function createListener(
  endpoints: readonly Endpoint[],
  { serve, fail, explainUnmatched }: AdapterOptions,
): Promise<(exchange: Exchange) => void> {
  // The framework hands back Node's own request; this finds the exchange it belongs to.
  const exchanges = new WeakMap<object, Exchange>();
  const exchangeOf = (request: FastifyRequest): Exchange => exchanges.get(request.raw)!;
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack();
    const exchange = exchangeOf(request);
    exchange.route = templates.get(request.routeOptions.url ?? "") ?? "";
    fail(exchange, toPlatformError(error));
  };
  const templates = new Map(endpoints.map(({ path }) => [toFastifyPath(path), path]));

  const fastify = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    onProtoPoisoning: "error",
    return503OnClosing: false,
    routerOptions: { maxParamLength: 1_024 },
    frameworkErrors: refuse,
  });
  fastify.setErrorHandler(refuse);
  fastify.setNotFoundHandler((request, reply) =>
    refuse(explainUnmatched(exchangeOf(request).path), request, reply),
  );
  // Only JSON is spoken here: without this, text/plain would be taken for a string.
  fastify.removeContentTypeParser("text/plain");

  for (const endpoint of endpoints) {
    fastify.route({
      method: endpoint.method,
      url: toFastifyPath(endpoint.path),
      handler(request, reply) {
        reply.hijack();
        serve(endpoint, request, exchangeOf(request));
      },
    });
  }

  await fastify.ready();
  return (exchange) => {
    exchanges.set(exchange.req, exchange);
    fastify.routing(exchange.req, exchange.res);
  };
}

function toFastifyPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

/** Fastify's own refusals in the words of the standard; anything else goes on as it is. */
function toPlatformError(error: unknown): unknown {
  const { code, statusCode } = error as Partial<FastifyError>;
  if (typeof code !== "string" || !code.startsWith("FST_")) {
    return error instanceof SyntaxError && statusCode === 400 ? malformedBody(error) : error;
  }
  if (statusCode === 413) {
    return new AppError("PAYLOAD_TOO_LARGE", `The body is larger than ${BODY_LIMIT_BYTES} bytes`);
  }
  if (statusCode === 415) {
    return new AppError("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json");
  }
  if (code.startsWith("FST_ERR_CTP_")) return malformedBody(error);
  if (code === "FST_ERR_BAD_URL") {
    return new AppError("VALIDATION_ERROR", "The path is not valid", { cause: error });
  }
  return error;
}

function malformedBody(cause: unknown): AppError {
  return new AppError("VALIDATION_ERROR", "Request validation failed", {
    cause,
    details: [{ field: "body", message: "must be valid JSON" }],
  });
}
