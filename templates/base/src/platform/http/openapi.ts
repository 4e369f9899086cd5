import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { createDocument, type oas31, type ZodOpenApiOperationObject } from "zod-openapi";
import type { SecurityScheme } from "../depends.ts";
import { ERROR_STATUS, type ErrorCode } from "../errors.ts";
import { STATUS_CODES } from "./node-http.ts";
import {
  checkIds,
  RENDERING,
  shapeOf,
  type UsedSchema,
  withFinalNames,
} from "./openapi-schemas.ts";
import { paramsOf } from "./params.ts";

/** A body of a media type of its own: text, bytes, a stream, server-sent events, a form. */
export interface ContentDescription {
  contentType?: string | undefined;
  contentTypes?: readonly string[] | undefined;
  schema?: z.ZodType | undefined;
  description?: string | undefined;
  /** In bytes. */
  limit?: number | undefined;
}

/** A schema alone means JSON, and `z.undefined()` no content. */
type Declared = z.ZodType | ContentDescription;

/** A security scheme that an operation asks for; the document lists it under its name. */
type Security = Required<SecurityScheme>;

/** What the document says about a route, declared or native. */
export interface Operation {
  method: string;
  /** With parameters in braces. */
  path: string;
  summary?: string | undefined;
  description?: string | undefined;
  tags?: string[] | undefined;
  /** Made from the method and the path unless declared. */
  operationId?: string | undefined;
  params?: z.ZodType | undefined;
  query?: z.ZodType | undefined;
  headers?: z.ZodType | undefined;
  body?: Declared | undefined;
  /** By status. */
  responses?: Record<string, Declared> | undefined;
  errors?: readonly ErrorCode[] | undefined;
  security?: readonly Security[] | undefined;
}

const JSON_TYPE = "application/json";

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

/**
 * The OpenAPI 3.1 description of `operations`, errors included.
 * @throws when two schemas have one id, two operations one operationId, or two security schemes one name.
 */
export function openApiDocument(
  settings: { SERVICE_NAME: string; SERVICE_DESCRIPTION: string; VERSION: string },
  operations: readonly Operation[],
): object {
  checkIds([
    { schema: errorSchema, io: "output", owner: "the error body" },
    ...operations.flatMap(schemasOf),
  ]);
  const ids = operationIds(operations);
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const operation of operations) {
    const methods = (paths[operation.path] ??= {});
    // The first is the one that answers.
    methods[operation.method.toLowerCase()] ??= describe(operation, ids.get(operation)!);
  }
  const refusals = [...new Set(operations.flatMap(errorCodes))].map((code) => [
    code,
    responseOf(String(ERROR_STATUS[code]), errorSchema),
  ]);
  const document = createDocument(
    {
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
      components: {
        responses: Object.fromEntries(refusals),
        securitySchemes: securitySchemes(operations),
      },
    },
    RENDERING,
  );
  return withFinalNames(document);
}

function describe(operation: Operation, operationId: string): ZodOpenApiOperationObject {
  const {
    summary = nameOf(operation),
    description,
    tags,
    body,
    security = [],
    responses = { 200: {} },
  } = operation;
  const answers = Object.entries(responses).map(([status, answer]) => [
    status,
    responseOf(status, answer),
  ]);
  const refusals = errorCodes(operation).map((code) => [
    ERROR_STATUS[code],
    { $ref: `#/components/responses/${code}` },
  ]);
  return {
    operationId,
    summary,
    description,
    tags,
    security: security.length === 0 ? undefined : [requirement(security)],
    requestParams: parametersOf(operation),
    requestBody: body === undefined ? undefined : requestBodyOf(body),
    responses: Object.fromEntries([...answers, ...refusals]),
  } as ZodOpenApiOperationObject;
}

function parametersOf({ path, params, query, headers }: Operation) {
  const declared = shapeOf(params);
  const names = paramsOf(path);
  return {
    path: z.object(Object.fromEntries(names.map((name) => [name, declared[name] ?? z.string()]))),
    query: z.object(shapeOf(query)),
    header: z.object(shapeOf(headers)),
  };
}

function requestBodyOf(body: Declared) {
  const content = contentOf(body);
  const { limit, description = limit === undefined ? undefined : `At most ${limit} bytes` } =
    content;
  return {
    required: !(body instanceof z.ZodType) || body._zod.optin === undefined,
    description,
    content: mediaTypes(content),
  };
}

function responseOf(status: string, answer: Declared) {
  const content = contentOf(answer);
  const { description = STATUS_CODES[status] ?? "Answer" } = content;
  const media = /^(1..|204|205|304)$/.test(status) ? {} : mediaTypes(content);
  return Object.keys(media).length === 0 ? { description } : { description, content: media };
}

function contentOf(declared: Declared): ContentDescription {
  if (!(declared instanceof z.ZodType)) return declared;
  return declared.type === "undefined" || declared.type === "void" ? {} : { schema: declared };
}

function mediaTypes({ schema, limit, ...content }: ContentDescription): Record<string, object> {
  const { contentType = schema && JSON_TYPE } = content;
  const { contentTypes = contentType === undefined ? [] : [contentType] } = content;
  // The type of a file is known when it is sent.
  const plain = contentTypes.map((type) => type.split(";", 1)[0]!.trim() || "*/*");
  return Object.fromEntries(plain.map((type) => [type, { schema: schema ?? anyOf(type, limit) }]));
}

function anyOf(type: string, maxLength: number | undefined): oas31.SchemaObject {
  if (/[/+]json$/.test(type)) return {};
  if (type.startsWith("text/")) return { type: "string" };
  return { type: "string", format: "binary", ...(maxLength === undefined ? {} : { maxLength }) };
}

/** Every error that an operation can answer, those of the platform included, but for what it declares itself. */
function errorCodes({ body, security = [], errors = [], responses = {} }: Operation): ErrorCode[] {
  const codes: ErrorCode[] = ["VALIDATION_ERROR", "INTERNAL_ERROR", ...errors];
  if (body !== undefined) codes.push("PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE");
  if (security.length > 0) codes.push("AUTH_ERROR");
  if (security.some(({ scopes }) => scopes.length > 0)) codes.push("FORBIDDEN");
  return codes.filter((code) => !(ERROR_STATUS[code] in responses));
}

/** All of them together: a caller needs every one. */
function requirement(security: readonly Security[]): Record<string, string[]> {
  const scopes: Record<string, string[]> = {};
  for (const { name, scopes: more } of security)
    scopes[name] = [...new Set([...(scopes[name] ?? []), ...more])];
  return scopes;
}

function securitySchemes(
  operations: readonly Operation[],
): Record<string, oas31.SecuritySchemeObject> {
  const schemes: Record<string, oas31.SecuritySchemeObject> = {};
  for (const { name, scheme } of operations.flatMap(({ security = [] }) => security)) {
    if (isDeepStrictEqual((schemes[name] ??= { ...scheme }), scheme)) continue;
    throw new Error(`two security schemes have the name "${name}"`);
  }
  return schemes;
}

/** The declared ids, and of those made from method and path, the second of two equal ones gets a number. */
function operationIds(operations: readonly Operation[]): Map<Operation, string> {
  const owners = new Map<string, Operation>();
  const ids = new Map<Operation, string>();
  const declaredFirst = operations.toSorted(
    (a, b) => Number(a.operationId === undefined) - Number(b.operationId === undefined),
  );
  for (const operation of declaredFirst) {
    const { operationId, method, path } = operation;
    const words = [method.toLowerCase(), ...path.split(/[^A-Za-z0-9]+/)].filter(Boolean);
    let id = operationId ?? words.join("_");
    for (let number = 2; owners.has(id); number++) {
      const both = `${nameOf(owners.get(id)!)} and ${nameOf(operation)}`;
      if (operationId !== undefined) throw new Error(`${both} have one operationId, "${id}"`);
      id = `${words.join("_")}_${number}`;
    }
    owners.set(id, operation);
    ids.set(operation, id);
  }
  return ids;
}

function nameOf({ method, path }: Operation): string {
  return `${method} ${path}`;
}

function schemasOf(operation: Operation): UsedSchema[] {
  const { params, query, headers, body, responses = {} } = operation;
  const inputs = [params, query, headers, body && contentOf(body).schema];
  const outputs = Object.values(responses).map((answer) => contentOf(answer).schema);
  const owner = nameOf(operation);
  return [
    ...inputs.map((schema) => ({ schema, io: "input" as const, owner })),
    ...outputs.map((schema) => ({ schema, io: "output" as const, owner })),
  ].filter((used): used is UsedSchema => used.schema !== undefined);
}
