import type { Express, Request } from "express";
import { AppError, toAppError } from "../errors.ts";
import type { CompiledRoute } from "./declared-route.ts";
import { exchangeOf } from "./exchange.ts";
import { pathOf } from "./node-http.ts";
import { parsePath } from "./params.ts";
import { bodyTooLarge, formMalformed, notFoundOr405 } from "./refusals.ts";

/** What Express's router is made of, as far as it is looked at here. */
interface Layer {
  route: { path: unknown; methods: Record<string, boolean>; stack: Layer[] } | undefined;
  handle: { stack?: Layer[] };
  match(path: string): { path: string; pattern: unknown } | false;
}

interface FoundRoute {
  route: NonNullable<Layer["route"]>;
  /** With the paths of the routers that it is in, and parameters in braces. */
  template: string;
}

/** The routes that fit a path, whatever their method; those of nested routers too. */
function* routesAt(stack: readonly Layer[], path: string, prefix = ""): Generator<FoundRoute> {
  for (const layer of stack) {
    const { route, handle } = layer;
    if (route === undefined && handle.stack === undefined) continue;
    const match = layer.match(path);
    if (match === false) continue;
    const template = prefix + templateOf(match.pattern);
    if (route !== undefined) {
      if (!route.stack.some((one) => one.handle === refuseMethod)) yield { route, template };
    } else {
      const rest = path.slice(match.path.length);
      yield* routesAt(handle.stack!, rest.startsWith("/") ? rest : `/${rest}`, template);
    }
  }
}

/** Names what answers a request past all routes by where it is mounted: `/files/*` for the files of `express.static`. */
export function mountOf(app: Express, req: Request): string {
  const { route, baseUrl, originalUrl } = req;
  const inner = req.app as (Express & { parent?: Express }) | undefined;
  const path = pathOf(originalUrl || "/");
  // An application that was called as a function, as vhost does.
  if (inner && inner !== app && !inner.parent) return nameAt(inner, path, route);
  return baseUrl ? mountAt(app.router.stack as never, path, baseUrl) : "";
}

function nameAt(app: Express, path: string, route: Layer["route"]): string {
  const found = routesAt(app.router.stack as never, path).find((it) => it.route === route);
  const template = found?.template;
  return template === "" ? "/" : (template ?? "");
}

/** By the stack and not by the text of `baseUrl`, which has the values of parameters in it. */
function mountAt(stack: readonly Layer[], path: string, baseUrl: string, prefix = ""): string {
  for (const layer of stack) {
    const match = layer.route === undefined && layer.match(path);
    if (match === false) continue;
    const base = match.path.replace(/\/$/, "");
    if (baseUrl !== base && !baseUrl.startsWith(`${base}/`)) continue;
    const template = prefix + templateOf(match.pattern);
    if (baseUrl === base) return `${template}/*`;
    const { stack: inner } = layer.handle;
    if (inner === undefined && base !== "") return `${template}/*`;
    const rest = path.slice(base.length) || "/";
    const found = mountAt(inner ?? [], rest, baseUrl.slice(base.length), template);
    if (found !== "") return found;
  }
  return "";
}

/** The handler of a route that is there to refuse a method; see `shadowedMethods`. */
export function refuseMethod(req: Request): never {
  const exchange = exchangeOf(req);
  if (exchange !== undefined) exchange.route = "";
  const path = exchange?.path ?? req.baseUrl + req.path;
  const fitting = [...routesAt(req.app.router.stack as never, normalTarget(path) ?? path)];
  const exact = fitting.filter(({ template }) => !template.includes("{"));
  const methods = (exact.length > 0 ? exact : fitting).flatMap(({ route }) =>
    Object.keys(route.methods).filter((name) => name !== "_all"),
  );
  throw notFoundOr405(
    req.method,
    methods.map((name) => name.toUpperCase()),
  );
}

/**
 * Tells a request's exchange which route takes it, as soon as Express has found it. Not at the end: by then Express has
 * forgotten in which router it was.
 */
export function followRoutes(app: Express): void {
  const ROUTE = Symbol("route");
  type Routed = Request & { [ROUTE]?: Layer["route"] };
  Object.defineProperty(app.request, "route", {
    configurable: true,
    get(this: Routed) {
      return this[ROUTE];
    },
    set(this: Routed, route: Layer["route"]) {
      this[ROUTE] = route;
      const exchange = exchangeOf(this);
      if (exchange === undefined || route === undefined) return;
      exchange.route =
        this.baseUrl === ""
          ? templateOf(route.path) || "/"
          : nameAt(app, exchange.path, route) || mountOf(app, this);
    },
  });
}

const templates = new Map<unknown, string>();

/** A path of Express's with its parameters in braces, as metrics, logs and openapi.json name it. */
function templateOf(pattern: unknown): string {
  if (pattern === "/") return "";
  const known = templates.get(pattern);
  if (known !== undefined) return known;
  const template = String(pattern).replaceAll(/[:*](\w+)|\\(.)/g, (_, name, literal) =>
    name === undefined ? literal : `{${name}}`,
  );
  templates.set(pattern, template);
  return template;
}

/** A path of a declared route as Express writes it. */
export function toExpressPath(path: string): string {
  const written = parsePath(path)
    .map((part) =>
      typeof part === "string"
        ? encodeURI(part)
            .replaceAll("[", "%5B")
            .replaceAll("]", "%5D")
            .replaceAll(/[()+!:*]/g, String.raw`\$&`)
        : `:${part.param}`,
    )
    .join("");
  templates.set(written, path);
  return written;
}

/**
 * Express takes the first route that fits. The order of declaration shall not matter, as with Fastify, so fixed text
 * comes before a parameter, segment by segment. @throws {Error} when two routes could not be told apart.
 */
export function inMatchingOrder(routes: readonly CompiledRoute[]): CompiledRoute[] {
  const shapes = new Set<string>();
  for (const { method, path } of routes.map(({ route }) => route)) {
    const shape = `${method} ${path.replaceAll(/\{\w+\}/g, "{}")}`;
    if (shapes.has(shape)) throw new Error(`two routes for ${method} ${path}`);
    shapes.add(shape);
  }
  // Empty for a path without parameters: those stay in the order of declaration.
  const rank = ({ route }: CompiledRoute): string =>
    Array.from(route.path.split("/"), rankOf).join("").replace(/0+$/, "");
  // Not localeCompare: the tables that it has loaded are a twentieth of a start.
  return routes.toSorted((a, b) => Number(rank(a) > rank(b)) - Number(rank(a) < rank(b)));
}

/** Fixed text, text with a parameter, a parameter alone. */
function rankOf(segment: string): "0" | "1" | "2" {
  if (!segment.includes("{")) return "0";
  return /^\{\w+\}$/.test(segment) ? "2" : "1";
}

const ESCAPE = /%[0-9a-f]{2}/gi;
/** The one character that makes Express parse the target in another way, which turns backslashes around. */
const SPACE = "\u00A0";
const UNRESERVED = /[\w.~-]/;
/** What clients should not send as it is, and some do. */
const UNSAFE = /["<>[\\\]^`{|}]/g;

/**
 * A request target for the router, which compares paths as they are written: its path decoded where that changes no
 * meaning (`/%68ealth` is `/health`, `%2f` becomes `%2F`), and its query as it came.
 * @returns undefined when the path cannot be decoded.
 */
export function normalTarget(target: string): string | undefined {
  const end = target.slice(1).search(/[?#]/) + 1;
  if (end === 0) return normalPath(target);
  const path = normalPath(target.slice(0, end));
  // Not a fragment: those stay with the client; RFC 9110, 7.1.
  const query = target
    .slice(end + 1)
    .replaceAll("#", "%23")
    .replaceAll(SPACE, "%C2%A0");
  if (path === undefined || query === "") return path;
  return `${path}?${query}`;
}

function normalPath(path: string): string | undefined {
  const safe = path.replaceAll(SPACE, "%C2%A0").replaceAll(UNSAFE, encodeURIComponent);
  if (!safe.includes("%")) return safe;
  if (!canBeDecoded(safe)) return undefined;
  return safe.replaceAll(ESCAPE, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return UNRESERVED.test(character) ? character : escape.toUpperCase();
  });
}

function canBeDecoded(path: string): boolean {
  try {
    // The result is looked at because the bundler drops a call that nobody wants the result of.
    return decodeURI(path) !== "";
  } catch {
    return false;
  }
}

/** What body-parser and multer throw. */
interface BodyError extends NodeJS.ErrnoException {
  type: string;
  limit: number;
}

/** Errors of Express's usual packages that have no status, in the words of the standard. */
export function toExpressError(thrown: unknown, given: number): AppError {
  const { name, code, message, type, limit } = Object(thrown) as Partial<BodyError>;
  if (type === "entity.too.large") return bodyTooLarge(limit);
  if (name !== "MulterError") return formMalformed(thrown) ?? toAppError(thrown, given);
  const isTooLarge = code === "LIMIT_FILE_SIZE" || code === "LIMIT_FIELD_VALUE";
  const text = message ?? "The form is not valid";
  return new AppError(isTooLarge ? "PAYLOAD_TOO_LARGE" : "VALIDATION_ERROR", text, {
    cause: thrown,
  });
}
