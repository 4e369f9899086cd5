import type { Endpoint } from "./endpoint.ts";
import { AppError } from "./errors.ts";
import type { Exchange } from "./requests.ts";

/**
 * Why no endpoint took a request: 405 with the methods that the path has, or 404.
 * @returns a function for the adapter's not-found handler.
 */
export function explainUnmatched(endpoints: readonly Endpoint[]): (exchange: Exchange) => AppError {
  const patterns = endpoints.map(({ method, path }) => ({ method, pattern: toPattern(path) }));
  return ({ path, req }) => {
    const methods = patterns
      .filter(({ pattern }) => pattern.test(path))
      .map(({ method }) => method);
    const allow = new Set<string>(methods.includes("GET") ? [...methods, "HEAD"] : methods);
    // A method that is allowed: then it was the path, by a parameter that is too long.
    if (allow.size === 0 || allow.has(req.method ?? ""))
      return new AppError("NOT_FOUND", "The requested resource does not exist");
    return new AppError("METHOD_NOT_ALLOWED", "The method is not allowed for this resource", {
      headers: { Allow: [...allow].toSorted().join(", ") },
    });
  };
}

function toPattern(path: string): RegExp {
  const segments = path.split("/").map((segment) => {
    return segment.startsWith("{") ? "[^/]+" : RegExp.escape(segment);
  });
  return new RegExp(`^${segments.join("/")}$`);
}
