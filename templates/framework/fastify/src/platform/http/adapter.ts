import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from "fastify";
import type { Endpoint, Outgoing } from "../endpoint.ts";
import { AppError } from "../errors.ts";
import type { Exchange } from "../requests.ts";

const BODY_LIMIT_BYTES = 1_048_576;

/** What the adapter asks back from the platform. */
export interface AdapterOptions {
  answerError(error: unknown, exchange: Exchange): Outgoing;
  explainUnmatched(path: string): AppError;
}

/**
 * Serves `endpoints` with Fastify: its router and body parser, nothing else, so that another framework can take its
 * place without the service noticing. Register Fastify plugins here.
 */
export async function createListener(
  endpoints: readonly Endpoint[],
  { answerError, explainUnmatched }: AdapterOptions,
): Promise<(exchange: Exchange) => void> {
  // The framework hands back Node's own request; this finds the exchange it belongs to.
  const exchanges = new WeakMap<object, Exchange>();
  const exchangeOf = (request: FastifyRequest): Exchange => exchanges.get(request.raw)!;
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    sendReply(reply, answerError(toPlatformError(error), exchangeOf(request)));

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
      url: endpoint.path.replaceAll(/\{(\w+)\}/g, ":$1"),
      // Before the body is read, so that a refused body counts for its route too.
      onRequest(request, _reply, done) {
        exchangeOf(request).route = endpoint.path;
        done();
      },
      async handler(request, reply) {
        const exchange = exchangeOf(request);
        // Not left to Fastify's error handler: that one cannot take everything that JavaScript can throw.
        const answer = endpoint.answer(request, exchange);
        return sendReply(reply, await answer.catch((error) => answerError(error, exchange)));
      },
    });
  }

  await fastify.ready();
  return (exchange) => {
    exchanges.set(exchange.req, exchange);
    fastify.routing(exchange.req, exchange.res);
  };
}

function sendReply(reply: FastifyReply, { status, headers, body }: Outgoing): FastifyReply {
  // With a serializer of its own, Fastify leaves our content type alone.
  return reply.code(status).headers(headers).serializer(unchanged).send(body);
}

const unchanged = (payload: string): string => payload;

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
