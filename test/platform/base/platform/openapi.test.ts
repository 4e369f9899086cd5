import { createConfig, lintFromString } from "@redocly/openapi-core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ERROR_STATUS } from "../../src/platform/errors.ts";
import { openApiDocument, type Operation } from "../../src/platform/http/openapi.ts";
import { rawBody } from "../../src/platform/raw-body.ts";
import { bytes, events, file, text } from "../../src/platform/responses.ts";
import { defineRoute } from "../../src/platform/route.ts";

const service = { SERVICE_NAME: "svc", SERVICE_DESCRIPTION: "A service", VERSION: "1.2.3" };

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into the document wherever it likes
const documentOf = (...operations: Operation[]): any => openApiDocument(service, operations);
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: object) => ({ "application/json": { schema } });
const schemaNames = (...operations: Operation[]): string[] =>
  Object.keys(documentOf(...operations).components.schemas).toSorted();

const tag = z.object({ name: z.string().default("none") }).meta({ id: "Tag" });
const color = z.enum(["red", "green"]).meta({ id: "Color" });
const thing = z.object({ color, tags: z.array(tag) }).meta({ id: "Thing" });
const tree = z.object({
  name: z.string(),
  get children() {
    return z.array(tree);
  },
});

const putThing = (body: z.ZodType | undefined, answer: z.ZodType) =>
  defineRoute({
    method: "PUT",
    path: "/things",
    summary: "Put a thing",
    ...(body === undefined ? {} : { body }),
    responses: { 200: answer },
    handler: () => undefined as never,
  });

describe("schemas", () => {
  test("one that gives something else than it takes has two names, and so has what refers to it", () => {
    const document = documentOf(putThing(thing, thing));
    const { put } = document.paths["/things"];
    expect(put.requestBody.content).toEqual(json(ref("ThingInput")));
    expect(put.responses["200"].content).toEqual(json(ref("ThingOutput")));
    const { schemas } = document.components;
    expect(Object.keys(schemas).toSorted()).toEqual(
      ["Color", "Error", "TagInput", "TagOutput", "ThingInput", "ThingOutput"].toSorted(),
    );
    expect(schemas.TagInput.required).toBeUndefined();
    expect(schemas.TagOutput.required).toEqual(["name"]);
    expect(schemas.ThingInput.properties).toMatchObject({
      color: ref("Color"),
      tags: { items: ref("TagInput") },
    });
    expect(schemas.ThingOutput.properties).toMatchObject({
      color: ref("Color"),
      tags: { items: ref("TagOutput") },
    });
  });

  test("one that is used in one direction goes by its id", () => {
    expect(schemaNames(putThing(tag, color))).toEqual(["Color", "Error", "Tag"]);
  });

  test("one that gives what it takes is one component", () => {
    const both = z.object({ id: z.uuid(), color }).meta({ id: "Both" });
    const document = documentOf(putThing(both, both));
    const { put } = document.paths["/things"];
    expect(put.requestBody.content).toEqual(json(ref("Both")));
    expect(put.responses["200"].content).toEqual(json(ref("Both")));
    expect(Object.keys(document.components.schemas).toSorted()).toEqual(["Both", "Color", "Error"]);
    expect(document.components.schemas.Both.additionalProperties).toBeUndefined();
  });

  test("only a strict object forbids other fields", () => {
    const strict = z.strictObject({ id: z.string() }).meta({ id: "Strict" });
    const { schemas } = documentOf(putThing(strict, strict)).components;
    expect(schemas.Strict.additionalProperties).toBe(false);
  });

  test("recursive ones refer to themselves, at the root and below", () => {
    const node = z
      .object({
        get next() {
          return node.optional();
        },
      })
      .meta({ id: "Node" });
    const document = documentOf(
      putThing(tree, z.object({ root: tree })),
      { method: "POST", path: "/nodes", body: node, responses: { 200: z.array(node) } },
      {
        method: "POST",
        path: "/others",
        body: z.object({
          get self() {
            return z.array(z.object({ tree }));
          },
        }),
      },
    );
    const { put } = document.paths["/things"];
    const atRoot = put.requestBody.content["application/json"].schema.$ref;
    const below = put.responses["200"].content["application/json"].schema.properties.root.$ref;
    for (const reference of [atRoot, below]) {
      const name = reference.replace("#/components/schemas/", "");
      expect(document.components.schemas[name].properties.children.items).toEqual(ref(name));
    }
    expect(document.paths["/nodes"].post.requestBody.content).toEqual(json(ref("Node")));
    expect(document.components.schemas.Node.properties.next).toEqual(ref("Node"));
    expect(JSON.stringify(document)).not.toContain('"#"');
  });

  test("dates are date-times", () => {
    const { put } = documentOf(putThing(z.coerce.date(), z.date())).paths["/things"];
    const dateTime = { type: "string", format: "date-time" };
    expect(put.requestBody.content).toEqual(json(dateTime));
    expect(put.responses["200"].content).toEqual(json(dateTime));
  });

  test("what JSON schema cannot express is documented as anything", () => {
    const schema = z.object({
      map: z.map(z.string(), z.string()),
      size: z.string().transform(Number),
    });
    const { put } = documentOf(putThing(schema, schema)).paths["/things"];
    expect(put.responses["200"].content["application/json"].schema.properties).toEqual({
      map: {},
      size: {},
    });
  });

  test("two with one id are an error that names the routes", () => {
    const other = z.object({ id: z.string() }).meta({ id: "Tag" });
    const post: Operation = { method: "POST", path: "/tags", responses: { 200: other } };
    expect(() => documentOf(putThing(tag, color), post)).toThrow(
      'two schemas have the id "Tag": one of PUT /things, one of POST /tags',
    );
    expect(() => documentOf(putThing(z.object({ tag, other }), color))).toThrow(
      /PUT \/things.*"Tag"/,
    );
    const error = z.object({}).meta({ id: "Error" });
    expect(() => documentOf(putThing(error, color))).toThrow(
      'two schemas have the id "Error": one of the error body, one of PUT /things',
    );
  });

  test("one whose id the other half of a pair needs is an error", () => {
    const taken = z.object({ id: z.string() }).meta({ id: "TagInput" });
    const post: Operation = { method: "POST", path: "/tags", responses: { 200: taken } };
    expect(() => documentOf(putThing(tag, tag), post)).toThrow(/"TagInput" is needed/);
  });

  test("an id that OpenAPI does not allow is an error that names the route", () => {
    const odd = z.object({}).meta({ id: "My thing" });
    expect(() => documentOf(putThing(odd, color))).toThrow(/"My thing" of PUT \/things/);
  });
});

describe("parameters", () => {
  test("are listed, also those of a schema with an id", () => {
    const list = defineRoute({
      method: "GET",
      path: "/things/{shelf}",
      summary: "List things",
      params: z.object({ shelf: z.string() }).meta({ id: "Shelf" }),
      query: z.object({ color: color.optional() }).meta({ id: "Filter" }),
      headers: z.object({ "x-tenant": z.string().describe("Whose") }).meta({ id: "Tenant" }),
      responses: { 200: z.array(tag) },
      handler: () => [],
    });
    const document = documentOf(list);
    expect(document.paths["/things/{shelf}"].get.parameters).toEqual([
      { name: "shelf", in: "path", required: true, schema: { type: "string" } },
      { name: "color", in: "query", schema: ref("Color") },
      {
        name: "x-tenant",
        in: "header",
        required: true,
        description: "Whose",
        schema: { type: "string", description: "Whose" },
      },
    ]);
    expect(Object.keys(document.components.schemas).toSorted()).toEqual(["Color", "Error", "Tag"]);
  });

  test.each<[string, z.ZodType]>([
    ["an optional object", z.object({ size: z.int() }).optional()],
    ["an object with a check", z.object({ size: z.int() }).refine(() => true)],
    ["an intersection", z.intersection(z.object({ size: z.int() }), z.object({}))],
    ["a preprocessed object", z.preprocess((value) => value, z.object({ size: z.int() }))],
    ["an object that is transformed", z.object({ size: z.int() }).transform(({ size }) => size)],
  ])("are found in %s", (_what, query) => {
    const { get } = documentOf({ method: "GET", path: "/things", query }).paths["/things"];
    expect(get.parameters).toMatchObject([
      { name: "size", in: "query", required: true, schema: { type: "integer" } },
    ]);
  });

  test("of a path are listed, declared or not", () => {
    const document = documentOf(
      { method: "POST", path: "/jobs/{id}:cancel" },
      { method: "POST", path: "/jobs/{id}/{step}", params: z.object({ step: z.int() }) },
    );
    expect(document.paths["/jobs/{id}:cancel"].post.parameters).toEqual([
      { name: "id", in: "path", required: true, schema: { type: "string" } },
    ]);
    expect(document.paths["/jobs/{id}/{step}"].post.parameters).toMatchObject([
      { name: "id", in: "path", required: true },
      { name: "step", in: "path", required: true, schema: { type: "integer" } },
    ]);
  });
});

describe("bodies", () => {
  const bodyOf = (body: Operation["body"]) =>
    documentOf({ method: "POST", path: "/things", body }).paths["/things"].post.requestBody;

  test("are required unless their schema is optional", () => {
    expect(bodyOf(tag)).toEqual({ required: true, content: json(ref("Tag")) });
    expect(bodyOf(tag.optional())).toEqual({ required: false, content: json(ref("Tag")) });
    expect(bodyOf(z.int().default(1)).required).toBe(false);
    expect(bodyOf(tag.nullable()).required).toBe(true);
  });

  test("of bytes say their limit and types", () => {
    const schema = { type: "string", format: "binary", maxLength: 10 };
    expect(bodyOf(rawBody({ limit: 10, contentTypes: ["image/png", "image/gif"] }))).toEqual({
      required: true,
      description: "At most 10 bytes",
      content: { "image/png": { schema }, "image/gif": { schema } },
    });
  });

  test("of several parts list their fields", () => {
    const schema = z.object({ file: z.file(), title: z.string() });
    expect(bodyOf({ contentType: "multipart/form-data", schema }).content).toMatchObject({
      "multipart/form-data": {
        schema: {
          properties: { file: { type: "string", format: "binary" }, title: { type: "string" } },
          required: ["file", "title"],
        },
      },
    });
  });
});

describe("answers", () => {
  const answersOf = (responses: Operation["responses"]) =>
    documentOf({ method: "GET", path: "/things", responses }).paths["/things"].get.responses;

  test("of other media types say which", () => {
    const event = z.object({ id: z.string() });
    const responses = answersOf({
      200: { contentType: "text/csv", description: "A table" },
      201: { contentType: "image/png" },
      202: { contentType: "text/event-stream", schema: event },
      203: { schema: event },
    });
    expect(responses).toMatchObject({
      200: { description: "A table", content: { "text/csv": { schema: { type: "string" } } } },
      201: { content: { "image/png": { schema: { type: "string", format: "binary" } } } },
      202: { content: { "text/event-stream": { schema: { required: ["id"] } } } },
      203: { content: { "application/json": { schema: { required: ["id"] } } } },
    });
  });

  test("of responses.ts say their media type, without its parameters", () => {
    const responses = answersOf({
      200: text("text/csv"),
      201: bytes("image/png"),
      202: events(z.object({ id: z.string() })),
      203: file(),
    });
    const types = [200, 201, 202, 203].flatMap((status) => Object.keys(responses[status].content));
    expect(types).toEqual(["text/csv", "image/png", "text/event-stream", "*/*"]);
  });

  test("without content have none", () => {
    const responses = answersOf({
      200: z.void(),
      204: z.undefined(),
      205: z.string(),
      302: { description: "Elsewhere" },
      304: z.string(),
    });
    expect(responses).toMatchObject({
      200: { description: "OK" },
      204: { description: "No Content" },
      205: { description: "Reset Content" },
      302: { description: "Elsewhere" },
      304: { description: "Not Modified" },
    });
    for (const status of [200, 204, 205, 302, 304]) {
      expect(responses[status]).not.toHaveProperty("content");
    }
  });

  test("that are errors are those that can happen there", () => {
    const statuses = (operation: Partial<Operation>): string[] =>
      Object.keys(
        documentOf({ method: "POST", path: "/things", ...operation }).paths["/things"].post
          .responses,
      );
    expect(statuses({})).toEqual(["200", "400", "500"]);
    expect(statuses({ body: tag })).toEqual(["200", "400", "413", "415", "500"]);
    expect(statuses({ errors: ["CONFLICT"] })).toEqual(["200", "400", "409", "500"]);
  });

  test("that the route declares win over the platform's", () => {
    const { 400: own } = answersOf({ 200: tag, 400: tag });
    expect(own.content).toEqual(json(ref("Tag")));
  });

  test("with an error body know every code that is sent", () => {
    const { components } = documentOf(putThing(tag, color));
    expect(components.responses.VALIDATION_ERROR).toEqual({
      description: "Bad Request",
      content: json(ref("Error")),
    });
    expect(components.schemas.Error.properties.error.properties.code.enum).toEqual(
      Object.keys(ERROR_STATUS),
    );
  });
});

describe("operations", () => {
  const idsOf = (...operations: Operation[]): string[] =>
    Object.values(documentOf(...operations).paths as Record<string, Record<string, Operation>>)
      .flatMap((methods) => Object.values(methods))
      .map(({ operationId }) => operationId!);

  test("have the ids that they always had", () => {
    expect(idsOf({ method: "POST", path: "/api/v1/things/{id}" })).toEqual([
      "post_api_v1_things_id",
    ]);
  });

  test("have different ids, whatever their paths", () => {
    expect(
      idsOf(
        { method: "GET", path: "/things/id" },
        { method: "GET", path: "/things/{id}" },
        { method: "GET", path: "/things:id", operationId: "get_things_id_2" },
      ),
    ).toEqual(["get_things_id", "get_things_id_3", "get_things_id_2"]);
  });

  test("with one declared id are an error that names both", () => {
    const operationId = "things";
    expect(() =>
      documentOf(
        { method: "GET", path: "/things", operationId },
        { method: "PUT", path: "/things", operationId },
      ),
    ).toThrow('GET /things and PUT /things have one operationId, "things"');
  });

  test("without a summary are named by method and path", () => {
    const { get } = documentOf({ method: "GET", path: "/native" }).paths["/native"];
    expect(get).toMatchObject({
      summary: "GET /native",
      responses: { 200: { description: "OK" } },
    });
  });
});

describe("security", () => {
  const scheme = { type: "http" as const, scheme: "bearer", bearerFormat: "JWT" };

  test("lists the schemes, what each operation asks for, and the errors", () => {
    const document = documentOf(
      {
        method: "GET",
        path: "/things",
        security: [
          { name: "bearer", scheme, scopes: ["read"] },
          { name: "bearer", scheme: { ...scheme }, scopes: ["read", "list"] },
        ],
      },
      { method: "PUT", path: "/things", security: [{ name: "bearer", scheme, scopes: [] }] },
      { method: "POST", path: "/things", security: [] },
    );
    expect(document.components.securitySchemes).toEqual({ bearer: scheme });
    const { get, put, post } = document.paths["/things"];
    expect(get.security).toEqual([{ bearer: ["read", "list"] }]);
    expect(Object.keys(get.responses)).toEqual(["200", "400", "401", "403", "500"]);
    expect(put.security).toEqual([{ bearer: [] }]);
    expect(Object.keys(put.responses)).toEqual(["200", "400", "401", "500"]);
    expect(post).not.toHaveProperty("security");
  });

  test("two schemes with one name are an error", () => {
    const basic = { type: "http" as const, scheme: "basic" };
    const security = [scheme, basic].map((one) => ({ name: "auth", scheme: one, scopes: [] }));
    expect(() => documentOf({ method: "GET", path: "/things", security })).toThrow(/"auth"/);
  });
});

test("the whole is valid OpenAPI", async () => {
  const bearer = {
    name: "bearer",
    scheme: { type: "http" as const, scheme: "bearer" },
    scopes: [],
  };
  const document = documentOf(
    putThing(tree, z.object({ tree, at: z.date() })),
    { method: "PUT", path: "/tags", body: thing.optional(), responses: { 200: thing } },
    {
      method: "POST",
      path: "/jobs/{id}:cancel",
      responses: { 204: z.undefined() },
      security: [bearer],
    },
    { method: "POST", path: "/jobs/{id}/cancel", responses: { 200: tag, 302: {} } },
    {
      method: "POST",
      path: "/files",
      body: { contentType: "multipart/form-data", schema: z.object({ file: z.file() }) },
      responses: { 200: { contentType: "text/event-stream" } },
      errors: ["CONFLICT", "RATE_LIMITED"],
    },
    { method: "GET", path: "/native/{id}" },
  );
  const config = await createConfig({ extends: ["recommended"] });
  const problems = await lintFromString({ source: JSON.stringify(document), config });
  expect(problems.map(({ message, location }) => `${location[0]?.pointer}: ${message}`)).toEqual(
    [],
  );
});
