import type { Endpoint } from "./endpoint.ts";
import { AppError } from "./errors.ts";

/**
 * Why no endpoint took a request: 405 with the methods that the path has, or 404.
 * @returns a function of the path (without its query), for the adapter's not-found handler.
 */
export function explainUnmatched(endpoints: readonly Endpoint[]): (path: string) => AppError {
  const patterns = endpoints.map(({ method, path }) => ({ method, pattern: toPattern(path) }));
  return (path) => {
    const methods = patterns
      .filter(({ pattern }) => pattern.test(path))
      .map(({ method }) => method);
    if (methods.length === 0)
      return new AppError("NOT_FOUND", "The requested resource does not exist");
    const allow = new Set<string>(methods.includes("GET") ? [...methods, "HEAD"] : methods);
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
