import type { Endpoint } from "./endpoint.ts";
import { AppError } from "../errors.ts";
import type { Exchange } from "./requests.ts";
import type { Method } from "../route.ts";

/**
 * Why no endpoint took a request: 405 with the methods that the path has, or 404.
 * @returns a function for the adapter's not-found handler.
 */
export function explainUnmatched(endpoints: readonly Endpoint[]): (exchange: Exchange) => AppError {
  const patterns = endpoints.map(({ method, path }) => ({
    method,
    isFixed: !path.includes("{"),
    pattern: toPattern(path),
  }));
  return ({ path, req }) => {
    const matching = patterns.filter(({ pattern }) => pattern.test(path));
    const hasFixed = matching.some(({ isFixed }) => isFixed);
    const methods = matching
      .filter(({ isFixed }) => isFixed === hasFixed)
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

/**
 * What a path without parameters answers to methods that it lacks, where another route's parameter would take it in:
 * with `/receipts/rules` and `/receipts/{id}`, DELETE of the rules is not allowed, and no DELETE of a receipt.
 */
export function refuseMissingMethods(
  endpoints: readonly Endpoint[],
  explain: (exchange: Exchange) => AppError,
): Endpoint[] {
  const methodsOf = (fits: (path: string) => boolean): Set<Method> =>
    new Set(endpoints.filter(({ path }) => fits(path)).map(({ method }) => method));
  const fixed = new Set(endpoints.map(({ path }) => path).filter((path) => !path.includes("{")));
  return [...fixed].flatMap((path) => {
    const own = methodsOf((other) => other === path);
    const taken = methodsOf((other) => other.includes("{") && toPattern(other).test(path));
    return Array.from(taken.difference(own), (method) => ({
      method,
      path,
      answer(_input: unknown, exchange: Exchange) {
        throw explain(exchange);
      },
    }));
  });
}

function toPattern(path: string): RegExp {
  const segments = path.split("/").map((segment) => {
    return segment.startsWith("{") ? "[^/]+" : RegExp.escape(segment);
  });
  return new RegExp(`^${segments.join("/")}$`);
}
