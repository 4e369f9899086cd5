import type { Server } from "node:http";
import {
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchema,
  type FastifyServerOptions,
  type FastifyTypeProvider,
  LogController,
  type RouteOptions,
} from "fastify";
import { z } from "zod";
import { AppError, toAppError } from "../errors.ts";
import { exchangeOf } from "./exchange.ts";
import type { Operation } from "./openapi.ts";
import { parsePath } from "./params.ts";
import {
  bodyMalformed,
  bodyNotJson,
  bodyTooLarge,
  formMalformed,
  notFound,
  pathMalformed,
} from "./refusals.ts";
import type { RequestTracker } from "./requests.ts";
import { checkParts, encoderOf, partChecks } from "./schemas.ts";

/** Of all that Fastify logs of a request, only what nothing else tells: the access log is the platform's. */
export class FailureLog extends LogController {
  readonly #requests: RequestTracker;

  constructor(requests: RequestTracker) {
    super({ disableRequestLogging: true });
    this.#requests = requests;
  }

  /** A stream failed half-way; `answerError` only hears of errors before the first byte. */
  override streamError(error: Error, { raw }: FastifyRequest): void {
    this.#requests.fail(raw, toAppError(error), error);
  }

  /** No error handler could send it, because a hook of the answer threw again; Fastify would, in a body of its own. */
  override defaultErrorLog(error: Error, { raw }: FastifyRequest, reply: FastifyReply): void {
    this.#requests.refuse(raw, reply.hijack().raw, toAppError(error, reply.statusCode), error);
  }

  /** Of a hook `onResponse` alone, or of a connection that broke: that is in the access log. */
  override requestCompleted(error: Error | null | undefined, { raw, log }: FastifyRequest): void {
    if (error && exchangeOf(raw)?.hasLeft !== true) log.error({ error }, "onResponse failed");
  }
}

/** Gives native routes the types of their zod schemas. */
export interface ZodTypeProvider extends FastifyTypeProvider {
  validator: this["schema"] extends z.ZodType ? z.output<this["schema"]> : unknown;
  serializer: this["schema"] extends z.ZodType ? z.input<this["schema"]> : unknown;
}

type Compilers = NonNullable<
  NonNullable<FastifyServerOptions["schemaController"]>["compilersFactory"]
>;

/** Fastify's own compilers of JSON schemas: loaded when they are needed, as they take a tenth of a start. */
let jsonSchemas: Required<Compilers> | undefined;
let loading: Promise<void> | undefined;
const LOAD_AFTER_MS = 1_000;

export function hasJsonSchemas({ body, querystring, params, headers, response }: FastifySchema) {
  const all = [body, querystring, params, headers, ...Object.values(Object(response))];
  return all.some((schema) => schema !== undefined && !isZod(schema));
}

/** To be called before Fastify compiles the schemas of routes, which it does when it gets ready. */
export function loadJsonSchemas(): Promise<void> {
  loading ??= importCompilers();
  return loading;
}

async function importCompilers(): Promise<void> {
  const [{ default: ajv }, { default: stringify }] = await Promise.all([
    import("@fastify/ajv-compiler"),
    import("@fastify/fast-json-stringify-compiler"),
  ]);
  jsonSchemas = { buildValidator: ajv(), buildSerializer: stringify() };
}

/** What `loadJsonSchemas` has begun, for some route; undefined when nobody asked for it. */
export function jsonSchemasLoading(): Promise<void> | undefined {
  return loading;
}

/** A handler may use one that no route has declared, by `request.validateInput` for example. */
export function loadJsonSchemasAfterStart(server: Server): void {
  server.once("listening", () => setTimeout(() => void loadJsonSchemas(), LOAD_AFTER_MS).unref());
}

/** Zod schemas are checked by `addChecks` and written here; JSON schemas, as plugins use them, as Fastify does by itself. */
export const schemaCompilers: Compilers = {
  buildValidator(schemas, options) {
    let fallback: ReturnType<Required<Compilers>["buildValidator"]>;
    return ((route: { schema: unknown; httpPart?: string; contentType?: string }) => {
      const { schema, httpPart, contentType } = route;
      if (isZod(schema) && httpPart && !contentType) return () => true;
      if (isZod(schema)) throw new Error("zod can only check a whole part of a route's request");
      fallback ??= jsonSchemas!.buildValidator(schemas, options);
      return fallback(route as never);
    }) as never;
  },
  buildSerializer(schemas, options) {
    let fallback: ReturnType<Required<Compilers>["buildSerializer"]>;
    return (route) => {
      if (isZod(route.schema)) return encoderOf(route.schema);
      fallback ??= jsonSchemas!.buildSerializer(schemas, options);
      return fallback(route);
    };
  },
};

/**
 * Has a route's zod schemas checked, in a hook right before Fastify's own validation, which takes a body that is not there
 * for null, and drops what an asynchronous schema makes of its input.
 */
export function addChecks(options: RouteOptions): void {
  const { schema = {}, preValidation = [], attachValidation = false } = options;
  const { params, querystring: query, headers, body } = schema;
  const checks = partChecks({ params, query, headers, body });
  if (checks.length === 0) return;
  options.preValidation = [
    ...[preValidation].flat(),
    (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) => {
      const end = (error?: unknown): void => {
        if (attachValidation && error !== undefined) request.validationError = error as never;
        done(attachValidation ? undefined : (error as Error | undefined));
      };
      let checking: void | Promise<void>;
      try {
        checking = checkParts(checks, request);
      } catch (error) {
        return end(error);
      }
      if (checking === undefined) return end();
      // Outside of the promise, so that what a later hook throws is not taken for a refusal.
      checking.then(
        () => setImmediate(end),
        (error) => setImmediate(end, error),
      );
    },
  ] as never;
}

function isZod(schema: unknown): schema is z.ZodType {
  return schema instanceof z.ZodType;
}

/** A path of a declared route as Fastify writes it. */
export function toFastifyPath(path: string): string {
  let stars = 0;
  return parsePath(path)
    .map((part) =>
      // A star can only be had as a parameter that takes nothing else; see `withoutStars`.
      typeof part === "string"
        ? part.replaceAll(":", "::").replaceAll("*", () => String.raw`:${stars++}(^\*)`)
        : // To Fastify alone, nothing is a value, and text right behind a parameter belongs to its name.
          String.raw`:${part.param}(^[\s\S]+)`,
    )
    .join("");
}

/** The parameters that a route has declared: `toFastifyPath` adds some with numbers for names. */
export function withoutStars(params: object): object {
  return Object.fromEntries(Object.entries(params).filter(([name]) => !/^\d/.test(name)));
}

/** A parameter, with what it must match; of a regular expression, two levels of parentheses. A colon is written as two. */
const PARAM = /::|:(\w+)(?:\((?:\\.|[^\\()]|\((?:\\.|[^\\()]|\([^()]*\))*\))*\))?\??/g;

/** A path of Fastify's with its parameters in braces, as metrics, logs and openapi.json name it. */
export function templateOf(url: string): string {
  return url.replaceAll(PARAM, (_, name) => (name === undefined ? ":" : `{${name}}`));
}

/** With what @fastify/swagger reads, too. */
type Described = FastifySchema &
  Pick<Operation, "summary" | "description" | "tags" | "operationId"> & {
    hide?: boolean;
    consumes?: string[];
  };

/** A native route with schemas as openapi.json describes it; none for a route without, or one that hides itself. */
export function documentedRoute(method: string, path: string, schema?: Described): Operation[] {
  if (schema === undefined || schema.hide === true || method === "HEAD") return [];
  const { summary, description, tags, operationId, consumes } = schema;
  const body = schema.body === undefined ? undefined : toZod(schema.body);
  const responses = Object.entries(schema.response ?? {}).map(
    ([status, one]) => [status.toUpperCase(), toZod(one)] as const,
  );
  return [
    {
      method,
      path,
      summary,
      description,
      tags,
      operationId,
      params: toZodObject(schema.params, true),
      query: toZodObject(schema.querystring),
      headers: toZodObject(schema.headers),
      body: consumes === undefined ? body : { contentTypes: consumes, schema: body },
      responses: Object.fromEntries(responses),
    },
  ];
}

/** A JSON schema as it is; one with references as anything, because they lead to where this document does not. */
function toZod(schema: unknown): z.ZodType {
  if (isZod(schema)) return schema;
  return z
    .unknown()
    .meta(JSON.stringify(schema).includes('"$ref"') ? {} : { ...(schema as object) });
}

function toZodObject(schema: unknown, isRequired = false): z.ZodType | undefined {
  if (schema === undefined || isZod(schema)) return schema;
  const { properties = {}, required = [] } = schema as { properties?: object; required?: string[] };
  const shape = Object.entries(properties).map(([name, property]) => {
    const one = toZod(property);
    return [name, isRequired || required.includes(name) ? one : one.optional()];
  });
  return z.object(Object.fromEntries(shape));
}

/** Fastify's own refusals in the words of the standard; anything else as errors.ts has it. */
export function toFastifyError(thrown: unknown, given: number, bodyLimit?: number): AppError {
  const { code, statusCode, validation, validationContext } = Object(
    thrown,
  ) as Partial<FastifyError>;
  // That of an answer is the service's fault.
  if (validation !== undefined && statusCode !== 500) {
    const details = validation.map(({ instancePath, message }) => ({
      field: [validationContext ?? "body", ...instancePath.split("/").filter(Boolean)].join("."),
      message: message ?? "is not valid",
    }));
    return new AppError("VALIDATION_ERROR", "Request validation failed", { details });
  }
  if (typeof code !== "string" || !code.startsWith("FST_")) {
    return formMalformed(thrown) ?? toAppError(thrown, given);
  }
  if (code === "FST_ERR_MAX_PARAM_LENGTH") return notFound();
  if (code === "FST_ERR_BAD_URL") return pathMalformed(thrown);
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") return bodyTooLarge(bodyLimit);
  if (statusCode === 415) return bodyNotJson();
  if (code.startsWith("FST_ERR_CTP_INVALID") || code.startsWith("FST_ERR_CTP_EMPTY")) {
    return bodyMalformed(thrown);
  }
  return toAppError(thrown);
}
