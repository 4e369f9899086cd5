import { z } from "zod";
import { ERROR_STATUS, type ErrorCode } from "../errors.ts";
import { RawBody } from "../raw-body.ts";
import type { Route } from "../route.ts";

type Json = Record<string, unknown>;

const errorSchema = z
  .object({
    error: z.object({
      code: z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]),
      message: z.string(),
      request_id: z.string(),
      timestamp: z.iso.datetime(),
      details: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
    }),
  })
  .meta({ id: "Error" });

const TITLES: Record<ErrorCode, string> = {
  VALIDATION_ERROR: "The request is not valid",
  AUTH_ERROR: "The caller is not known",
  FORBIDDEN: "The caller may not do this",
  NOT_FOUND: "There is no such resource",
  METHOD_NOT_ALLOWED: "The resource does not have this method",
  CONFLICT: "The resource is in another state",
  PAYLOAD_TOO_LARGE: "The body is too large",
  UNSUPPORTED_MEDIA_TYPE: "The body is of a type that is not taken here",
  RATE_LIMITED: "Too many requests",
  INTERNAL_ERROR: "The service failed",
  EXTERNAL_SERVICE_ERROR: "A service that this one needs failed",
  OVERLOADED: "The service is overloaded",
};

/** The OpenAPI 3.1 description of `routes`, errors included. */
export function openApiDocument(
  settings: { SERVICE_NAME: string; SERVICE_DESCRIPTION: string; VERSION: string },
  routes: readonly Route[],
): Json {
  const schemas: Json = {};
  const errors = new Set<ErrorCode>();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    paths[route.path] = {
      ...paths[route.path],
      [route.method.toLowerCase()]: operation(route, schemas, errors),
    };
  }
  const errorResponses = Array.from(errors, (code) => [code, errorResponse(code, schemas)]);
  return withFinalNames(schemas, {
    openapi: "3.1.0",
    info: {
      title: settings.SERVICE_NAME,
      version: settings.VERSION,
      description: settings.SERVICE_DESCRIPTION,
      license: { name: "Proprietary", identifier: "LicenseRef-Proprietary" },
    },
    servers: [{ url: "/" }],
    security: [],
    paths,
    components: { responses: Object.fromEntries(errorResponses) },
  });
}

function operation(route: Route, schemas: Json, errors: Set<ErrorCode>): Json {
  const { summary, description: text, tags, params, query, headers, body, responses } = route;
  const parameters = [
    ...parametersIn("path", params, schemas),
    ...parametersIn("query", query, schemas),
    ...parametersIn("header", headers, schemas),
  ];
  return {
    operationId: operationId(route),
    summary,
    ...(text === undefined ? {} : { description: text }),
    ...(tags === undefined ? {} : { tags }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: requestBody(body, schemas) }),
    responses: { ...successResponses(responses, schemas), ...errorReferences(route, errors) },
  };
}

function requestBody(body: z.ZodType | RawBody, schemas: Json): Json {
  if (!(body instanceof RawBody)) {
    return { required: true, content: jsonContent(toSchema(body, "input", schemas)) };
  }
  const schema = { type: "string", format: "binary", maxLength: body.limit };
  return {
    required: true,
    description: `At most ${body.limit} bytes`,
    content: Object.fromEntries(body.contentTypes.map((type) => [type, { schema }])),
  };
}

function successResponses(responses: Record<string, z.ZodType>, schemas: Json): Json {
  const entries = Object.entries(responses).map(([status, schema]) => {
    const empty = schema instanceof z.ZodUndefined;
    const answer = { description: Number(status) < 400 ? "Success" : "Not now" };
    return [
      status,
      empty ? answer : { ...answer, content: jsonContent(toSchema(schema, "output", schemas)) },
    ];
  });
  return Object.fromEntries(entries);
}

/** Every error that the route can answer, those that the platform makes by itself included; adds them to `errors`. */
function errorReferences(route: Route, errors: Set<ErrorCode>): Json {
  const codes: ErrorCode[] = ["VALIDATION_ERROR", "INTERNAL_ERROR", ...(route.errors ?? [])];
  if (route.body !== undefined) codes.push("PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE");
  const undeclared = codes.filter((code) => !(ERROR_STATUS[code] in route.responses));
  for (const code of undeclared) errors.add(code);
  return Object.fromEntries(
    undeclared.map((code) => [ERROR_STATUS[code], { $ref: `#/components/responses/${code}` }]),
  );
}

function errorResponse(code: ErrorCode, schemas: Json): Json {
  return {
    description: TITLES[code],
    content: jsonContent(toSchema(errorSchema, "output", schemas)),
  };
}

function parametersIn(place: string, schema: z.ZodType | undefined, schemas: Json): Json[] {
  if (schema === undefined) return [];
  const parts: Json = {};
  const { $ref = "", ...unnamed } = toSchema(schema, "input", parts);
  // The parameters are listed one by one, so that the whole of them needs no name.
  const { [String($ref).slice(REF.length)]: named, ...others } = parts;
  Object.assign(schemas, others);
  const { properties = {}, required = [] } = (named ?? unnamed) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description: text, ...property }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(text === undefined ? {} : { description: text }),
    schema: property,
  }));
}

type Direction = "input" | "output";

const REF = "#/components/schemas/";
const REFS = /"#\/components\/schemas\/(input|output):([^"]+)"/g;

/** The JSON schema of `schema`; what has an id (`.meta({ id })`) goes to `schemas` and is referred to. */
function toSchema(schema: z.ZodType, io: Direction, schemas: Json): Json {
  const whole = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  const text = JSON.stringify(whole).replaceAll('"#/$defs/', `"${REF}${io}:`);
  const { $schema: _dialect, $defs, ...rest } = JSON.parse(text) as Json;
  for (const [id, definition] of Object.entries($defs ?? {})) schemas[`${io}:${id}`] = definition;
  return rest;
}

/**
 * Adds `schemas` to a document that refers to them. What a schema takes and what it gives can differ, by a default for
 * example: such a pair is named …Input and …Output, as FastAPI does it; all others go by their id alone.
 */
function withFinalNames(schemas: Json, document: Json & { components: Json }): Json {
  const pairs = new Set<string>();
  const nameOf = (io: string, id: string): string =>
    pairs.has(id) ? `${id}${io === "input" ? "Input" : "Output"}` : id;
  const rename = (value: unknown): string =>
    JSON.stringify(value).replaceAll(REFS, (_, io, id) => `"${REF}${nameOf(io, id)}"`);

  const ids = Object.keys(schemas).map((key) => key.slice(key.indexOf(":") + 1));
  const differs = (id: string): boolean => {
    const { [`input:${id}`]: input, [`output:${id}`]: output } = schemas;
    return input !== undefined && output !== undefined && rename(input) !== rename(output);
  };
  // A pair makes pairs of those that refer to it, so it takes as many rounds as they are deep.
  for (let found = ids; found.length > 0;) {
    found = ids.filter((id) => !pairs.has(id) && differs(id));
    for (const id of found) pairs.add(id);
  }
  const named = Object.entries(schemas).map(([key, schema]) => {
    const [io = "", id = ""] = key.split(/:(.*)/s);
    return [nameOf(io, id), schema];
  });
  const components = { schemas: Object.fromEntries(named), ...document.components };
  return JSON.parse(rename({ ...document, components })) as Json;
}

function jsonContent(schema: Json): Json {
  return { "application/json": { schema } };
}

function operationId({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter(Boolean);
  return [method.toLowerCase(), ...words].join("_");
}
