// Copied into the services under test as src/routes/echo.ts: routes that give back what they were handed, and routes
// that go wrong in every way.
// @ts-nocheck -- its imports are the service's
import { z } from "zod";
import { AppError } from "../platform/errors.ts";
import { defineRoute, reply } from "../platform/route.ts";

const anything = z.record(z.string(), z.unknown());
const parts = { params: anything, query: anything, responses: { 200: z.unknown() } };
const echo = (method, path, withBody) =>
  defineRoute({
    method,
    path,
    summary: `${method} ${path}`,
    ...parts,
    ...(withBody ? { body: z.unknown() } : {}),
    handler: ({ params, query, body }) => ({ path, params, query, body: body ?? null }),
  });

const thrown = {
  error: () => new Error("secret"),
  string: () => "secret",
  nothing: () => undefined,
  null: () => null,
  zero: () => 0,
  symbol: () => Symbol("secret"),
  bare: () => Object.create(null),
  status: () => Object.assign(new Error("secret"), { status: 418, statusCode: 418, code: "FST_X" }),
  route: () => "route",
  router: () => "router",
  conflict: () => new AppError("CONFLICT", "it exists", { headers: { "retry-after": "3" } }),
  header: () => new AppError("CONFLICT", "it exists", { headers: { "x-made": "\n" } }),
};

const get = (path, handler, responses = { 200: z.unknown() }) =>
  defineRoute({ method: "GET", path, summary: path, params: anything, responses, handler });

export const echoRoutes = [
  // In this order on purpose: a parameter before the fixed text that it would swallow.
  echo("GET", "/items/{a}/{b}"),
  echo("GET", "/items/{id}"),
  echo("GET", "/items/fixed"),
  echo("GET", "/items/fixed/{b}"),
  echo("POST", "/items/fixed"),
  echo("POST", "/echo/{id}", true),
  echo("PUT", "/echo/{id}", true),
  echo("PATCH", "/echo/{id}", true),
  echo("DELETE", "/echo/{id}", true),
  echo("DELETE", "/items/{id}"),
  echo("GET", "/search", true),
  get("/throws/{what}", ({ params }) => {
    throw thrown[params.what]();
  }),
  get("/rejects/{what}", async ({ params }) => {
    throw thrown[params.what]();
  }),
  get("/header/{value}", ({ params }) => reply(200, {}, { "x-value": params.value })),
  get("/nothing", () => undefined, { 204: z.undefined() }),
  get("/big", () => "x".repeat(3_000_000)),
  get("/breaks", () => ({ count: "one" }), { 200: z.object({ count: z.number() }) }),
  get("/waits", async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    throw signal.reason;
  }),
];
