import type { z } from "zod";
import type { ErrorCode } from "./errors.ts";
import { checkedHeaders } from "./http/headers.ts";
import type { ServiceDeps } from "./lifespan.ts";
import type { Logger } from "./logging.ts";
import type { BodyStream, RawBody } from "./raw-body.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

type Output<Schema> = Schema extends z.ZodType
  ? z.output<Schema>
  : Schema extends RawBody
    ? BodyStream
    : undefined;

/** What a handler receives: the checked parts of the request, and everything it may use. Nothing is global. */
export interface HandlerInput<Params, Query, Headers, Body> {
  params: Output<Params>;
  query: Output<Query>;
  headers: Output<Headers>;
  body: Output<Body>;
  deps: ServiceDeps;
  log: Logger;
  /** Aborted when the client goes away before the answer. */
  signal: AbortSignal;
}

/** An answer with a status or headers of its own; a handler that returns anything else answers the first status. */
export class Reply<Status extends number = number, Body = unknown> {
  readonly status: Status;
  readonly body: Body;
  readonly headers: Record<string, string>;

  constructor(status: Status, body: Body, headers?: Record<string, string>) {
    this.status = status;
    this.body = body;
    this.headers = checkedHeaders(headers);
  }
}

/** Answers `status` with `body`, which is checked against the schema declared for that status. */
export function reply<Status extends number, Body>(
  status: Status,
  body: Body,
  headers?: Record<string, string>,
): Reply<Status, Body> {
  return new Reply(status, body, headers);
}

type Responses = Record<number, z.ZodType>;
type Answer<R extends Responses> =
  | z.input<R[keyof R]>
  | { [Status in keyof R & number]: Reply<Status, z.input<R[Status]>> }[keyof R & number];

/** A route as data: the framework adapter serves it, openapi.json describes it, both from this one declaration. */
export interface RouteDefinition<
  Params extends z.ZodType | undefined = z.ZodType | undefined,
  Query extends z.ZodType | undefined = z.ZodType | undefined,
  Headers extends z.ZodType | undefined = z.ZodType | undefined,
  Body extends z.ZodType | RawBody | undefined = z.ZodType | RawBody | undefined,
  R extends Responses = Responses,
> {
  method: Method;
  /** With parameters in braces: `/api/v1/receipts/{id}`. */
  path: string;
  /** One line for the documentation; also the source of the operation's id. */
  summary: string;
  description?: string;
  tags?: string[];
  params?: Params;
  query?: Query;
  headers?: Headers;
  /** A schema for JSON, or `rawBody({ limit, contentTypes })` for a stream of bytes. */
  body?: Body;
  /** Schema by status. The lowest status is the one a plain return value is sent with. */
  responses: R;
  /** Errors that the handler throws, beside those that the platform answers by itself. */
  errors?: ErrorCode[];
  handler(input: HandlerInput<Params, Query, Headers, Body>): Promise<Answer<R>> | Answer<R>;
}

/** A route of which only the runtime cares: the types of its parts are known inside the handler. */
// oxlint-disable-next-line typescript/no-explicit-any -- a list of routes holds routes of every type
export type Route = RouteDefinition<any, any, any, any, any>;

/** Declares a route. It only gives the handler its types. */
export function defineRoute<
  R extends Responses,
  Params extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Headers extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | RawBody | undefined = undefined,
>(
  definition: RouteDefinition<Params, Query, Headers, Body, R>,
): RouteDefinition<Params, Query, Headers, Body, R> {
  return definition;
}
