import type { IncomingMessage, ServerResponse } from "node:http";
import { finished, Readable } from "node:stream";
import { z } from "zod";
import { type Dependencies, DependencyScope, withNested } from "../depends.ts";
import type { ServiceDeps } from "../lifespan.ts";
import type { Logger } from "../logging.ts";
import { RawBody } from "../raw-body.ts";
import { Content, eventStream, type ServerEvent, type Source, toReadable } from "../responses.ts";
import { Reply, type Route } from "../route.ts";
import { exchangeOf } from "./exchange.ts";
import type { HeaderValues } from "./node-http.ts";
import type { Operation } from "./openapi.ts";
import { keysWithoutText, paramsOf, parsePath } from "./params.ts";
import type { Platform } from "./requests.ts";
import { encoderOf, type Part } from "./schemas.ts";

/** The parts of a request: the framework's own request will do. */
export type RequestParts = Record<Part, unknown>;

/** What is known of an answer before there is one. */
interface CompiledResponse {
  kind: "json" | Exclude<Content["kind"], "events">;
  /** The media type; empty when there is no body, or when a file's name tells it. */
  contentType: string;
  /** Of `json`: checks a value and writes it. @throws {Error} when it breaks the declared schema. */
  encode: (value: unknown) => string;
  /** What the route declares for answers that are not JSON. */
  content?: Content;
}

/** What a route answers, for the framework to send with its own means. */
export interface Answer extends CompiledResponse {
  status: number;
  headers: HeaderValues;
  /** The value of `json`, before it is checked; the text, bytes, stream or path of the others. */
  value: unknown;
}

/** What a handler is called with. A class, as a getter in an object literal would be made anew for every request. */
class Input {
  readonly params: unknown;
  readonly query: unknown;
  readonly headers: unknown;
  readonly body: unknown;
  readonly depends: unknown;
  readonly deps: ServiceDeps;
  readonly log: Logger;
  readonly #res: ServerResponse;

  constructor(
    { params, query, headers }: RequestParts,
    body: unknown,
    depends: unknown,
    deps: ServiceDeps,
    res: ServerResponse,
  ) {
    this.params = params;
    this.query = query;
    this.headers = headers;
    this.body = body;
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

/** A declared route, ready to be registered with a framework. */
export class CompiledRoute {
  readonly route: Route;
  /** What the framework does with the body: parse it, or leave it alone. */
  readonly readsJson: boolean;
  readonly #platform: Platform;
  readonly #raw: RawBody | undefined;
  readonly #responses: ReadonlyMap<number, CompiledResponse>;
  readonly #defaultStatus: number;

  /** @throws {Error} naming the route when its parts contradict each other. */
  constructor(route: Route, platform: Platform) {
    this.route = route;
    this.#platform = platform;
    this.#raw = route.body instanceof RawBody ? route.body : undefined;
    this.readsJson = route.body !== undefined && this.#raw === undefined;
    try {
      checkPath(route);
      const declared = Object.entries(route.responses as Responses);
      this.#responses = new Map(
        declared.map(([status, response]) => [Number(status), compileResponse(response)]),
      );
    } catch (error) {
      const message = `${route.method} ${route.path}: ${(error as Error).message}`;
      throw new Error(message, { cause: error });
    }
    this.#defaultStatus = Math.min(...this.#responses.keys());
  }

  /** Makes the route's per-request dependencies, before the body is read. They close with the response. */
  async openDependencies(
    { params, query, headers }: RequestParts,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const { deps } = this.#platform;
    const lifetime = Lifetime.of(res);
    const input = { req, params, query, headers, deps, log: deps.log, signal: lifetime.signal };
    const scope = new DependencyScope(input as never, this.#platform);
    lifetime.holdScope(scope);
    lifetime.depends = await scope.openAll(this.route.depends as Dependencies);
  }

  /** Calls the handler, at once. */
  run(parts: RequestParts, req: IncomingMessage, res: ServerResponse): Answer | Promise<Answer> {
    const lifetime = this.route.depends === undefined ? undefined : Lifetime.of(res);
    lifetime?.scope?.throwIfOver();
    const body = this.#raw === undefined ? parts.body : this.#raw.open(req);
    const input = new Input(parts, body, lifetime?.depends, this.#platform.deps, res);
    const result: unknown = this.route.handler(input as never);
    if (!(result instanceof Promise)) return this.#toAnswer(result, req, res);
    const answer = result.then((value) => this.#toAnswer(value, req, res));
    lifetime?.scope?.keepOpenFor(answer, "the handler");
    return answer;
  }

  #toAnswer(result: unknown, req: IncomingMessage, res: ServerResponse): Answer {
    const isReply = result instanceof Reply;
    const status = isReply ? result.status : this.#defaultStatus;
    const response = this.#responses.get(status);
    if (response === undefined) throw new Error(`the route declares no response ${status}`);
    const value = isReply ? result.body : result;
    const answer: Answer = { status, headers: NONE, value, ...response };
    if (isReply) takeHeaders(answer, result.headers);
    if (answer.kind !== "json") prepare(answer, req, this.#platform);
    if (answer.kind === "stream") Lifetime.of(res).holdStream(answer.value as Readable);
    return answer;
  }
}

const NONE: HeaderValues = {};

/** @throws {Error} for a path that cannot be used, and for schemas that ask for what no request can have. */
function checkPath({ path, params, query, headers }: Route): void {
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
}

function keysOf(schema: z.ZodType | undefined): string[] {
  return Object.keys((schema as { shape?: object } | undefined)?.shape ?? {});
}

type Responses = Record<string, z.ZodType | Content>;

function compileResponse(response: z.ZodType | Content): CompiledResponse {
  if (response instanceof Content) {
    const kind = response.kind === "events" ? "stream" : response.kind;
    return { kind, contentType: response.contentType, encode: String, content: response };
  }
  if (response.type === "undefined") return { kind: "empty", contentType: "", encode: String };
  return { kind: "json", contentType: "application/json", encode: encoderOf(response) };
}

/** The headers of a reply. A Content-Type of its own wins over the declared one. */
function takeHeaders(answer: Answer, headers: HeaderValues): void {
  answer.headers = headers;
  const own = Object.keys(headers).find((name) => name.toLowerCase() === "content-type");
  if (own === undefined) return;
  const { [own]: type, ...others } = headers;
  answer.headers = others;
  answer.contentType = String(type);
  const isText = answer.kind === "json" && typeof answer.value === "string";
  if (isText && !/\bjson\b/i.test(answer.contentType)) answer.kind = "text";
}

const TYPES = {
  text: "string",
  bytes: "object",
  stream: "object",
  file: "string",
  empty: "undefined",
};

/** Brings a value that is not JSON into the form that it is sent in. @throws {Error} when it is of another kind. */
function prepare(answer: Answer, req: IncomingMessage, { requests }: Platform): void {
  const { kind, value, content } = answer;
  const fits = typeof value === TYPES[kind as keyof typeof TYPES] && value !== null;
  if (!fits || (kind === "bytes" && !(value instanceof Uint8Array))) {
    throw new Error(`the route declares ${kind}, and the handler gave ${typeof value}`);
  }
  if (kind !== "stream") return;
  if (req.method === "HEAD") {
    // Nobody will read it: it lets go of what it holds.
    const unread =
      value instanceof Readable ? value : Readable.from(value as AsyncIterable<unknown>);
    unread.on("error", () => {}).destroy();
    // Nothing is known of its length: to Fastify, an empty answer would have one of 0.
    answer.value = Readable.from([]);
  } else if (content?.kind === "events") {
    const given = value as AsyncIterable<ServerEvent>;
    answer.headers = { "Cache-Control": "no-cache", "X-Accel-Buffering": "no", ...answer.headers };
    answer.value = eventStream(given, content, requests.draining);
  } else answer.value = toReadable(value as Source);
}

const CLIENT_LEFT = "the client went away before the answer was sent";
const LIFETIME = Symbol("lifetime");

/** What ends with a response. One for all of it: each has a listener, and many of them look like a leak to Node. */
class Lifetime {
  readonly #controller = new AbortController();
  readonly #res: ServerResponse;
  /** The request's dependencies, and their values. */
  scope: DependencyScope | undefined = undefined;
  depends: unknown = undefined;
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

  holdScope(scope: DependencyScope): void {
    this.scope = scope;
    if (this.#res.destroyed) this.#end();
  }

  /** The stream ends with the response, and the dependencies stay open until it has. */
  holdStream(stream: Readable): void {
    this.#stream = stream;
    const { promise, resolve } = Promise.withResolvers<void>();
    finished(stream, { writable: false }, () => resolve());
    this.scope?.keepOpenFor(promise, "the stream of the answer");
    if (this.#res.destroyed) this.#end();
  }

  #end(): void {
    const { writableFinished, req } = this.#res;
    const left = writableFinished ? undefined : new Error(CLIENT_LEFT);
    const reason = exchangeOf(req)?.error ?? left;
    // The generator of events waits on when a drain has ended them.
    if (!writableFinished || this.#stream?.closed === false) {
      this.#controller.abort(reason ?? new Error("the answer is over"));
    }
    this.#stream?.destroy();
    void this.scope?.close(reason);
  }
}

/** What openapi.json says of a route: with the errors and security schemes of its dependencies. */
export function operationOf(route: Route): Operation {
  const nested = [...withNested(route.depends)].map(({ definition }) => definition);
  const errors = [route, ...nested].flatMap(({ errors: own = [] }) => own);
  const responses = Object.entries(route.responses as Responses);
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
