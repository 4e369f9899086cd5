import { expect, test } from "vitest";
import { z } from "zod";
import { defineRoute, type Route } from "../../src/platform/route.ts";
import { createTestApp, errorOf } from "../support.ts";

const isFree = async (name: string): Promise<boolean> => name !== "taken";
const tree = z.object({
  get children() {
    return z.array(tree);
  },
});

/** A route that answers with what it got, checked by `parts`. */
function echo(path: string, parts: Pick<Route, "params" | "query" | "headers" | "body">): Route {
  return defineRoute({
    method: parts.body === undefined ? "GET" : "POST",
    path,
    summary: "Echo",
    ...parts,
    responses: { 200: z.any() },
    handler: ({ params, query, body }) => ({ params, query, body }),
  });
}

const routes = [
  echo("/sizes/{size}", { params: z.object({ size: z.int() }) }),
  echo("/tags", {
    query: z.object({ tag: z.array(z.string()).optional(), deep: z.boolean().default(false) }),
  }),
  echo("/optional", { body: z.object({ name: z.string() }).optional() }),
  echo("/nullable", { body: z.object({ name: z.string() }).nullable() }),
  echo("/required", { body: z.object({ name: z.string() }) }),
  echo("/names", { body: z.object({ name: z.string().refine(async (name) => isFree(name)) }) }),
  echo("/lists", { body: z.array(z.string().refine((name) => isFree(name))) }),
  echo("/trees", { body: tree }),
  echo("/unions", {
    body: z.object({ value: z.union([z.string(), z.object({ cents: z.int() })]) }),
  }),
];

async function send(
  url: string,
  payload?: unknown,
  headers: Record<string, string> = { "content-type": "application/json" },
) {
  await using app = await createTestApp({ routes });
  const isPost = routes.some(({ path, body }) => path === url && body !== undefined);
  return await app.inject({ method: isPost ? "POST" : "GET", url, headers, payload });
}

const answerOf = async (...given: Parameters<typeof send>) => {
  const response = await send(...given);
  expect(response.statusCode).toBe(200);
  const { params, query, body } = response.json();
  return { params, query, body };
};
const detailsOf = async (...given: Parameters<typeof send>) => {
  const response = await send(...given);
  expect(response.statusCode).toBe(400);
  return errorOf(response).details;
};

test("the text of paths and queries becomes what is asked for", async () => {
  expect(await answerOf("/sizes/12")).toMatchObject({ params: { size: 12 } });
  expect(await answerOf("/tags?tag=a&deep=True")).toMatchObject({
    query: { tag: ["a"], deep: true },
  });
  expect(await answerOf("/tags?tag=a&tag=b")).toMatchObject({
    query: { tag: ["a", "b"], deep: false },
  });
  expect(await answerOf("/tags")).toMatchObject({ query: { deep: false } });
  expect(await detailsOf("/sizes/12x")).toMatchObject([{ field: "params.size" }]);
});

test("an optional body may be left out", async () => {
  expect(await answerOf("/optional", { name: "a" })).toMatchObject({ body: { name: "a" } });
  expect((await answerOf("/optional")).body).toBeUndefined();
  expect((await answerOf("/optional", "", {})).body).toBeUndefined();
  expect(await detailsOf("/optional", {})).toEqual([
    { field: "body.name", message: "Field required" },
  ]);
});

test("a body that may be null is null when it says so", async () => {
  expect(await answerOf("/nullable", "null")).toMatchObject({ body: null });
});

test("a required body is missed", async () => {
  expect(await detailsOf("/required")).toEqual([{ field: "body", message: "Field required" }]);
});

test("asynchronous refinements are waited for", async () => {
  expect(await answerOf("/names", { name: "new", more: 1 })).toHaveProperty("body", {
    name: "new",
  });
  expect(await detailsOf("/names", { name: "taken" })).toMatchObject([{ field: "body.name" }]);
  expect(await answerOf("/lists", ["a", "b"])).toMatchObject({ body: ["a", "b"] });
  expect(await detailsOf("/lists", ["a", "taken"])).toMatchObject([{ field: "body.1" }]);
});

test("nesting that overflows the stack is refused", async () => {
  const depth = 20_000;
  const text = `${'{"children":['.repeat(depth)}${"]}".repeat(depth)}`;
  expect(await detailsOf("/trees", text)).toEqual([
    { field: "body", message: "Nested too deeply" },
  ]);
});

test("a union says each branch's reason", async () => {
  expect(await detailsOf("/unions", { value: {} })).toEqual([
    { field: "body.value", message: "option 1: Invalid input: expected string, received object" },
    { field: "body.value.cents", message: "option 2: Field required" },
  ]);
});
