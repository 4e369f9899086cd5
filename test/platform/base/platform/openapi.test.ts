import { expect, test } from "vitest";
import { z } from "zod";
import { openApiDocument } from "../../src/platform/http/openapi.ts";
import { defineRoute, type Route } from "../../src/platform/route.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into the document wherever it likes
const documentOf = (...routes: Route[]): any => openApiDocument("svc", routes);
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

const tag = z.object({ name: z.string().default("none") }).meta({ id: "Tag" });
const color = z.enum(["red", "green"]).meta({ id: "Color" });
const thing = z.object({ color, tags: z.array(tag) }).meta({ id: "Thing" });

const putThing = (body: z.ZodType | undefined, answer: z.ZodType) =>
  defineRoute({
    method: "PUT",
    path: "/things",
    summary: "Put a thing",
    ...(body === undefined ? {} : { body }),
    responses: { 200: answer },
    handler: () => undefined as never,
  });

test("a schema that gives something else than it takes has two names, and so has what refers to it", () => {
  const document = documentOf(putThing(thing, thing));
  const { put } = document.paths["/things"];
  expect(put.requestBody.content["application/json"].schema).toEqual(ref("ThingInput"));
  expect(put.responses["200"].content["application/json"].schema).toEqual(ref("ThingOutput"));
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

test("a schema that is used in one direction goes by its id", () => {
  const document = documentOf(putThing(tag, color));
  expect(Object.keys(document.components.schemas).toSorted()).toEqual(["Color", "Error", "Tag"]);
});

test("parameters are listed, also those of a schema with an id", () => {
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
    { name: "color", in: "query", required: false, schema: ref("Color") },
    {
      name: "x-tenant",
      in: "header",
      required: true,
      description: "Whose",
      schema: { type: "string" },
    },
  ]);
  expect(Object.keys(document.components.schemas).toSorted()).toEqual(["Color", "Error", "Tag"]);
});
