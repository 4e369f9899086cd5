import type { Middleware } from "../app.ts";

const METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
const EXPOSED = "X-Request-ID, X-Correlation-ID";
const PREFLIGHT_SECONDS = "600";

/**
 * Cross-origin requests from the given origins (`*` for all); none when the list is empty.
 * Answers preflight requests itself. `Vary: Origin` goes on every response, or a cache mixes callers up.
 */
export function cors(origins: readonly string[]): Middleware {
  const anyOrigin = origins.includes("*");
  if (origins.length === 0) return (_exchange, next) => next();
  return (exchange, next) => {
    const { req, headers } = exchange;
    const { origin } = req.headers;
    headers.push("Vary", "Origin");
    if (origin === undefined || !(anyOrigin || origins.includes(origin))) return next();
    headers.push("Access-Control-Allow-Origin", anyOrigin ? "*" : origin);
    headers.push("Access-Control-Expose-Headers", EXPOSED);
    if (req.method !== "OPTIONS" || req.headers["access-control-request-method"] === undefined) {
      return next();
    }
    exchange.send({
      status: 204,
      headers: {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": req.headers["access-control-request-headers"] ?? "",
        "Access-Control-Max-Age": PREFLIGHT_SECONDS,
      },
      body: undefined,
    });
  };
}
