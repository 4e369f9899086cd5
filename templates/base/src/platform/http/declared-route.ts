import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { finished, Readable } from "node:stream";
import { z } from "zod";
import { type Dependencies, DependencyScope, withNested } from "../depends.ts";
import type { ServiceDeps } from "../lifespan.ts";
import type { Logger } from "../logging.ts";
import { RawBody } from "../raw-body.ts";
import { Content, eventStream, type ServerEvent, type Source, toReadable } from "../responses.ts";
import { Reply, type Route } from "../route.ts";
import type { HeaderValues } from "./headers.ts";
import type { Operation } from "./openapi.ts";
import { paramsOf, parsePath } from "./path.ts";
import type { Platform } from "./platform.ts";
import { keysWithoutText } from "./query.ts";
import { exchangeOf } from "./requests.ts";
import { encoderOf } from "./schemas.ts";

/** The parts of a request as the framework hands them over. */
export interface RequestParts {
  params: unknown;
  query: unknown;
  headers: unknown;
  body: unknown;
}

/** What a route answers, for the framework to send with its own means. */
export interface Answer {
  status: number;
  headers: HeaderValues;
  /** The media type; empty when there is no body, or when a file's name tells it. */
  contentType: string;
  kind: "json" | "text" | "bytes" | "stream" | "file" | "empty";
  /** The value of `json`, before it is checked; the text, bytes, stream or path of the others. */
  value: unknown;
  /** Of `json`: checks a value and writes it. @throws {Error} when it breaks the declared schema. */
  encode: (value: unknown) => string;
}

/** A declared route, ready to be registered with a framework. */
export interface CompiledRoute {
  route: Route;
  /** What the framework does with the body: parse it, or leave it alone. */
  readsJson: boolean;
  /** Whether `openDependencies` has anything to do. */
  hasDependencies: boolean;
  /** Makes the route's per-request dependencies, before the body is read. They close with the response. */
  openDependencies(
    parts: RequestParts,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<unknown>;
  /** Calls the handler, at once. @param depends what `openDependencies` gave. */
  run(
    parts: RequestParts,
    depends: unknown,
    req: IncomingMessage,
    res: ServerResponse,
  ): Answer | Promise<Answer>;
}

/** A class, because a getter in an object literal would be made anew, and slowly, for every request. */
class Input {
  readonly params: unknown;
  readonly query: unknown;
  readonly headers: unknown;
  readonly body: unknown;
  readonly depends: unknown;
  readonly deps: ServiceDeps;
  readonly log: Logger;
  readonly #res: ServerResponse;

  constructor(parts: RequestParts, depends: unknown, deps: ServiceDeps, res: ServerResponse) {
    this.params = parts.params;
    this.query = parts.query;
    this.headers = parts.headers;
    this.body = parts.body;
    this.depends = depends;
    this.deps = deps;
    this.log = deps.log;
    this.#res = res;
  }

  /** Made when asked for: most handlers never look at it. */
  get signal(): AbortSignal {
    return Lifetime.of(this.#res).signal;
  }
}

const NONE: HeaderValues = {};

/**
 * Compiles a declared route: its schemas become straight-line code once, which makes checking about four times as fast.
 * @throws {Error} when its parts contradict each other.
 */
export function compileRoute(route: Route, platform: Platform): CompiledRoute {
  checkPath(route);
  const { deps } = platform;
  const raw: RawBody | undefined = route.body instanceof RawBody ? route.body : undefined;
  const declared = Object.entries(route.responses as Record<string, z.ZodType | Content>);
  const responses = new Map(
    declared.map(([status, response]) => [Number(status), compileResponse(route, response)]),
  );
  const defaultStatus = Math.min(...responses.keys());
  const wanted = (route.depends ?? {}) as Dependencies;

  function toAnswer(result: unknown, req: IncomingMessage, res: ServerResponse): Answer {
    const isReply = result instanceof Reply;
    const status = isReply ? result.status : defaultStatus;
    const response = responses.get(status);
    if (response === undefined) throw new Error(`the route declares no response ${status}`);
    const value = isReply ? result.body : result;
    const answer = { status, headers: NONE, value, ...response };
    if (isReply && result.headers !== NONE) takeHeaders(answer, result.headers);
    if (answer.kind !== "json") prepare(answer, response.content, req, platform);
    if (answer.kind === "stream") Lifetime.of(res).holdStream(answer.value as Readable);
    return answer;
  }

  return {
    route,
    readsJson: route.body !== undefined && raw === undefined,
    hasDependencies: route.depends !== undefined,
    openDependencies: (parts, req, res) => openDependencies(wanted, parts, req, res, platform),
    run(parts, depends, req, res) {
      const scope = route.depends === undefined ? undefined : Lifetime.of(res).scope;
      scope?.throwIfOver();
      if (raw !== undefined) parts = { ...parts, body: raw.open(req) };
      const result: unknown = route.handler(new Input(parts, depends, deps, res) as never);
      if (!(result instanceof Promise)) return toAnswer(result, req, res);
      const answer = result.then((value) => toAnswer(value, req, res));
      scope?.keepOpenFor(answer, "the handler");
      return answer;
    },
  };
}

/** @throws {Error} naming the route whose path cannot be used, or whose schemas ask for what no request can have. */
function checkPath({ method, path, params, query, headers }: Route): void {
  try {
    parsePath(path);
    const names = paramsOf(path);
    const unknown = keysOf(params).filter((name) => !names.includes(name));
    if (unknown.length > 0) {
      throw new Error(`params declares ${unknown.join(", ")}, which the path does not have`);
    }
    for (const [part, schema] of Object.entries({ params, query })) {
      const keys = schema === undefined ? [] : keysWithoutText(schema);
      if (keys.length > 0)
        throw new Error(`${part} declares ${keys.join(", ")}, which no text can be`);
    }
    const upper = keysOf(headers).filter((name) => name !== name.toLowerCase());
    if (upper.length > 0) {
      throw new Error(`headers declares ${upper.join(", ")}; Node gives all names in lower case`);
    }
  } catch (error) {
    throw new Error(`${method} ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function keysOf(schema: z.ZodType | undefined): string[] {
  return Object.keys((schema as { shape?: object } | undefined)?.shape ?? {});
}

type CompiledResponse = Pick<Answer, "kind" | "contentType" | "encode"> & {
  content: Content | undefined;
};

function compileResponse(route: Route, response: z.ZodType | Content): CompiledResponse {
  if (response instanceof Content) {
    const kind = response.kind === "events" ? "stream" : response.kind;
    return { kind, contentType: response.contentType, encode: String, content: response };
  }
  if (response.type === "undefined") {
    return { kind: "empty", contentType: "", encode: String, content: undefined };
  }
  try {
    const encode = encoderOf(response);
    return { kind: "json", contentType: "application/json", encode, content: undefined };
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`${route.method} ${route.path}: ${message}`, { cause: error });
  }
}

/** The headers of a reply. A Content-Type of its own wins over the declared one. */
function takeHeaders(answer: Answer, headers: HeaderValues): void {
  const entries = Object.entries(headers);
  const own = entries.find(([name]) => name.toLowerCase() === "content-type");
  if (own === undefined) return void (answer.headers = headers);
  answer.headers = Object.fromEntries(entries.filter((entry) => entry !== own));
  answer.contentType = String(own[1]);
  const isText = typeof answer.value === "string";
  if (answer.kind === "json" && isText && !/\bjson\b/i.test(answer.contentType))
    answer.kind = "text";
}

/** Brings a value that is not JSON into the form that it is sent in. @throws {Error} when it is of another kind. */
function prepare(
  answer: Answer,
  content: Content | undefined,
  req: IncomingMessage,
  { requests }: Platform,
): void {
  const { kind, value } = answer;
  const fits = {
    json: true,
    text: typeof value === "string",
    bytes: value instanceof Uint8Array,
    stream: typeof value === "object" && value !== null,
    file: typeof value === "string",
    empty: value === undefined,
  };
  if (!fits[kind])
    throw new Error(`the route declares ${kind}, and the handler gave ${typeof value}`);
  if (kind !== "stream") return;
  if (req.method === "HEAD") {
    discard(value as Source);
    // Nothing is known of its length: to Fastify, an empty answer would have one of 0.
    answer.value = Readable.from([]);
    return;
  }
  if (content?.kind === "events") {
    const given = value as AsyncIterable<ServerEvent>;
    answer.headers = { "Cache-Control": "no-cache", "X-Accel-Buffering": "no", ...answer.headers };
    answer.value = eventStream(given, content, requests.draining);
  } else answer.value = toReadable(value as Source);
}

/** Ends a stream that nobody will read, so that it lets go of what it holds. */
function discard(source: Source): void {
  if (source instanceof Readable) source.destroy();
  else if (source instanceof ReadableStream) source.cancel().catch(() => {});
  else (source as Partial<AsyncIterator<unknown>>).return?.().catch(() => {});
}

const CLIENT_LEFT = "the client went away before the answer was sent";
const LIFETIME = Symbol("lifetime");

/** What ends with a response. One for all of it: each has a listener, and many of them look like a leak to Node. */
class Lifetime {
  readonly #controller = new AbortController();
  readonly #res: ServerResponse;
  #scope: DependencyScope | undefined;
  #stream: Readable | undefined;

  static of(res: ServerResponse & { [LIFETIME]?: Lifetime }): Lifetime {
    return (res[LIFETIME] ??= new Lifetime(res));
  }

  constructor(res: ServerResponse) {
    this.#res = res;
    if (res.destroyed) this.#end();
    else res.once("close", () => this.#end());
  }

  /** Aborted when the client goes away before the answer, or when the answer ends before its stream does. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The request's dependencies. */
  get scope(): DependencyScope | undefined {
    return this.#scope;
  }

  holdScope(scope: DependencyScope): void {
    this.#scope = scope;
    if (this.#res.destroyed) this.#end();
  }

  /** The stream ends with the response, and the dependencies stay open until it has. */
  holdStream(stream: Readable): void {
    this.#stream = stream;
    const { promise, resolve } = Promise.withResolvers<void>();
    finished(stream, { writable: false }, () => resolve());
    this.#scope?.keepOpenFor(promise, "the stream of the answer");
    if (this.#res.destroyed) this.#end();
  }

  #end(): void {
    const { writableFinished, req } = this.#res;
    const left = writableFinished ? undefined : new Error(CLIENT_LEFT);
    const reason = exchangeOf(req)?.error ?? left;
    // The generator of events waits on when a drain has ended them.
    const goesOn = this.#stream?.closed === false;
    if (!writableFinished || goesOn) {
      this.#controller.abort(reason ?? new Error("the answer is over"));
    }
    this.#stream?.destroy();
    void this.#scope?.close(reason);
  }
}

async function openDependencies(
  wanted: Dependencies,
  parts: RequestParts,
  req: IncomingMessage,
  res: ServerResponse,
  { deps, dependencyOverrides, scopes }: Platform,
): Promise<unknown> {
  const lifetime = Lifetime.of(res);
  const scope = new DependencyScope(
    {
      req,
      headers: parts.headers as IncomingHttpHeaders,
      params: parts.params as Record<string, string>,
      query: parts.query as Record<string, unknown>,
      deps,
      log: deps.log,
      signal: lifetime.signal,
    },
    dependencyOverrides,
    scopes,
  );
  lifetime.holdScope(scope);
  return scope.openAll(wanted);
}

/** What openapi.json says of a route: with the errors and security schemes of its dependencies. */
export function operationOf(route: Route): Operation {
  const nested = [...withNested(route.depends)].map(({ definition }) => definition);
  const errors = [route, ...nested].flatMap(({ errors: own = [] }) => own);
  const responses = Object.entries(route.responses as Record<string, z.ZodType | Content>);
  return {
    ...route,
    errors: [...new Set(errors)],
    responses: Object.fromEntries(
      responses.map(([status, response]) => [status, isEmpty(response) ? z.undefined() : response]),
    ),
    security: nested.flatMap(({ security }) =>
      security === undefined ? [] : [{ scopes: [], ...security }],
    ),
  };
}

function isEmpty(response: z.ZodType | Content): boolean {
  return response instanceof Content && response.kind === "empty";
}
