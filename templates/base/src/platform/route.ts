import type { z } from "zod";
import type { Dependencies, NoDependencies, ValuesOf } from "./depends.ts";
import type { ErrorCode } from "./errors.ts";
import { checkedHeaders, type HeaderValues } from "./http/node-http.ts";
import type { ServiceDeps } from "./lifespan.ts";
import type { Logger } from "./logging.ts";
import type { BodyStream, RawBody } from "./raw-body.ts";
import type { Content } from "./responses.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

type Output<Schema> = Schema extends z.ZodType
  ? z.output<Schema>
  : Schema extends RawBody
    ? BodyStream
    : undefined;

/** What a handler receives: the checked parts of the request, and everything it may use. Nothing is global. */
export interface HandlerInput<Params, Query, Headers, Body, Needs extends Dependencies> {
  params: Output<Params>;
  query: Output<Query>;
  headers: Output<Headers>;
  body: Output<Body>;
  depends: ValuesOf<Needs>;
  deps: ServiceDeps;
  log: Logger;
  /** Aborted when the client goes away before the answer. */
  signal: AbortSignal;
}

/** An answer with a status or headers of its own; a handler that returns anything else answers the first status. */
export class Reply<Status extends number = number, Body = unknown> {
  readonly status: Status;
  readonly body: Body;
  readonly headers: HeaderValues;

  constructor(status: Status, body: Body, headers?: HeaderValues) {
    this.status = status;
    this.body = body;
    this.headers = checkedHeaders(headers);
  }
}

/**
 * Answers `status` with `body`, which is checked against what the route declares for that status.
 * @param headers a list is sent as several headers, as for Set-Cookie.
 */
export function reply<Status extends number, Body>(
  status: Status,
  body: Body,
  headers?: HeaderValues,
): Reply<Status, Body> {
  return new Reply(status, body, headers);
}

/** Sends the client elsewhere; the route declares the status with `empty()`. */
export function redirect<Status extends 301 | 302 | 303 | 307 | 308>(
  location: string,
  status: Status,
): Reply<Status, undefined> {
  // What a header cannot hold is escaped; all else is the caller's, escapes that it has made included.
  const escaped = location.toWellFormed().replaceAll(/[^\x21-\x7e]+/g, encodeURIComponent);
  return new Reply(status, undefined, { Location: escaped });
}

type Responses = Record<number, z.ZodType | Content>;
type Given<Declared> = Declared extends z.ZodType
  ? z.input<Declared>
  : Declared extends Content<infer Value>
    ? Value
    : never;
type Answer<R extends Responses> =
  | Given<R[keyof R]>
  | { [Status in keyof R & number]: Reply<Status, Given<R[Status]>> }[keyof R & number];

/** A route as data: the framework serves it, openapi.json describes it, both from this one declaration. */
export interface RouteDefinition<
  Params extends z.ZodType | undefined = z.ZodType | undefined,
  Query extends z.ZodType | undefined = z.ZodType | undefined,
  Headers extends z.ZodType | undefined = z.ZodType | undefined,
  Body extends z.ZodType | RawBody | undefined = z.ZodType | RawBody | undefined,
  R extends Responses = Responses,
  Needs extends Dependencies = Dependencies,
> {
  method: Method;
  /** With parameters in braces: `/api/v1/receipts/{id}`. Everything else is literal. */
  path: string;
  /** One line for the documentation. */
  summary: string;
  description?: string;
  tags?: string[];
  params?: Params;
  query?: Query;
  headers?: Headers;
  /** A schema for JSON, or `rawBody({ limit, contentTypes })` for a stream of bytes. */
  body?: Body;
  /** A schema by status, or one of responses.ts. The lowest status is the one a plain return value is sent with. */
  responses: R;
  /** Errors that the handler throws, besides those that the platform answers by itself. */
  errors?: ErrorCode[];
  /** Values that are made once per request: see depends.ts. */
  depends?: Needs;
  handler(input: HandlerInput<Params, Query, Headers, Body, Needs>): Promise<Answer<R>> | Answer<R>;
}

/** A route of which only the runtime cares: the types of its parts are known inside the handler. */
// oxlint-disable-next-line typescript/no-explicit-any -- a list of routes holds routes of every type
export type Route = RouteDefinition<any, any, any, any, any, any>;

/** Declares a route. It only gives the handler its types. */
export function defineRoute<
  R extends Responses,
  Params extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Headers extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | RawBody | undefined = undefined,
  Needs extends Dependencies = NoDependencies,
>(
  definition: RouteDefinition<Params, Query, Headers, Body, R, Needs>,
): RouteDefinition<Params, Query, Headers, Body, R, Needs> {
  return definition;
}
