import { describe, expect, test } from "vitest";
import { z } from "zod";
import { AppError, ERROR_STATUS, type ErrorCode } from "../../src/platform/errors.ts";
import { empty } from "../../src/platform/responses.ts";
import { defineRoute, redirect, reply } from "../../src/platform/route.ts";
import { createTestApp, errorOf } from "../support.ts";

const POINTS = "/api/v1/receipts/points";
const json = { "content-type": "application/json" };

describe("what the platform refuses by itself", () => {
  test.each([
    ["an unknown route", { method: "GET", url: "/nowhere?x=1" }, 404, "NOT_FOUND"],
    ["a wrong method", { method: "DELETE", url: POINTS }, 405, "METHOD_NOT_ALLOWED"],
    [
      "malformed JSON",
      { method: "POST", url: POINTS, headers: json, payload: "{" },
      400,
      "VALIDATION_ERROR",
    ],
    [
      "an empty body",
      { method: "POST", url: POINTS, headers: json, payload: "" },
      400,
      "VALIDATION_ERROR",
    ],
    ["no body", { method: "POST", url: POINTS }, 400, "VALIDATION_ERROR"],
    [
      "a polluting key",
      { method: "POST", url: POINTS, headers: json, payload: '{"__proto__":{"a":1}}' },
      400,
      "VALIDATION_ERROR",
    ],
    [
      "a body that is not JSON",
      { method: "POST", url: POINTS, headers: { "content-type": "text/plain" }, payload: "hello" },
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [
      "a content type that is none",
      { method: "POST", url: POINTS, headers: { "content-type": "///" }, payload: "hello" },
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [
      "too large a body",
      {
        method: "POST",
        url: POINTS,
        headers: json,
        payload: JSON.stringify("x".repeat(1_048_576)),
      },
      413,
      "PAYLOAD_TOO_LARGE",
    ],
    [
      "a path that cannot be decoded",
      { method: "GET", url: "/api/%E0%A4%A" },
      400,
      "VALIDATION_ERROR",
    ],
  ] as const)("%s", async (_name, request, status, code) => {
    await using app = await createTestApp();
    const response = await app.inject({
      ...request,
      headers: { ...("headers" in request ? request.headers : {}), "x-request-id": "r-1" },
    });
    expect(response.statusCode).toBe(status);
    expect(response.headers["content-type"]).toBe("application/json");
    expect(response.headers["x-request-id"]).toBe("r-1");
    const error = errorOf(response);
    expect(error).toMatchObject({ code, request_id: "r-1" });
    expect(new Date(error.timestamp).toISOString()).toBe(error.timestamp);
    expect(app.logs.map(({ level }) => level)).toEqual(["info", "info"]);
  });

  test("a wrong method is told the right ones", async () => {
    await using app = await createTestApp();
    const post = await app.inject({ method: "PUT", url: POINTS });
    expect(post.headers.allow).toBe("POST");
    const get = await app.inject({ method: "POST", url: "/health" });
    expect(get.headers.allow).toBe("GET, HEAD");
  });
});

describe("what a handler throws", () => {
  const throwing = (thrown: unknown) =>
    defineRoute({
      method: "GET",
      path: "/throws",
      summary: "Throw",
      responses: { 200: z.object({}) },
      handler: () => {
        throw thrown;
      },
    });

  test.each(Object.entries(ERROR_STATUS))("AppError %s is answered %i", async (code, status) => {
    const details = [{ field: "id", message: "unknown" }];
    const thrown = new AppError(code as ErrorCode, "said to the caller", { details });
    await using app = await createTestApp({ routes: [throwing(thrown)] });
    const response = await app.inject({ method: "GET", url: "/throws" });
    expect(response.statusCode).toBe(status);
    expect(errorOf(response)).toMatchObject({ code, message: "said to the caller", details });
  });

  test.each([
    ["an error", new Error("SELECT * FROM secrets")],
    ["a string", "SELECT * FROM secrets"],
    ["nothing", undefined],
    ["null", null],
    ["an object without a prototype", Object.create(null)],
    ["what a router takes for a command", "route"],
  ])(
    "%s is a 500 that gives nothing away, and one error line with a stack",
    async (_name, thrown) => {
      await using app = await createTestApp({ routes: [throwing(thrown)] });
      const response = await app.inject({ method: "GET", url: "/throws" });
      expect(response.statusCode).toBe(500);
      expect(errorOf(response)).toMatchObject({
        code: "INTERNAL_ERROR",
        message: "An internal error occurred",
      });
      expect(response.body).not.toMatch(/secrets|stack|\.ts/);
      const [line] = app.logs.filter(({ level }) => level === "error");
      expect(line).toMatchObject({
        message: "request failed",
        error: { stack: expect.stringContaining("at ") },
      });
    },
  );
});

describe("a response that breaks its schema", () => {
  const route = (answer: () => unknown) =>
    defineRoute({
      method: "GET",
      path: "/thing",
      summary: "Get a thing",
      responses: { 200: z.object({ count: z.int() }), 202: z.object({ later: z.boolean() }) },
      handler: answer as () => { count: number },
    });

  test.each([
    ["a wrong type", () => ({ count: "secret" })],
    ["a missing field", () => ({})],
    ["the schema of another status", () => reply(202, { count: 1 })],
    ["a status that is not declared", () => reply(418, { count: 1 })],
  ])("%s is a 500 and is never sent", async (_name, answer) => {
    await using app = await createTestApp({ routes: [route(answer)] });
    const response = await app.inject({ method: "GET", url: "/thing" });
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain("secret");
    expect(app.logs.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("what is not declared is left out", async () => {
    await using app = await createTestApp({ routes: [route(() => ({ count: 1, secret: "x" }))] });
    const response = await app.inject({ method: "GET", url: "/thing" });
    expect(response.json()).toEqual({ count: 1 });
  });
});

describe("an answer that breaks on its way", () => {
  const leaving = (location: string) =>
    defineRoute({
      method: "GET",
      path: "/leaves",
      summary: "Leave",
      responses: { 302: empty() },
      handler: () => redirect(location, 302),
    });

  test.each([
    ["/login?next=%2Ffoo", "/login?next=%2Ffoo"],
    ["/sale?off=100%", "/sale?off=100%"],
    ["/caf\u00e9 1", "/caf%C3%A9%201"],
  ])("a redirect to %s keeps what is escaped", async (location, sent) => {
    await using app = await createTestApp({ routes: [leaving(location)] });
    const response = await app.inject({ method: "GET", url: "/leaves" });
    expect([response.statusCode, response.headers.location]).toEqual([302, sent]);
  });

  test("a declared error that breaks its schema is a 500", async () => {
    const route = defineRoute({
      method: "GET",
      path: "/thing",
      summary: "Get a thing",
      responses: { 200: z.object({}), 404: z.object({ id: z.string() }) },
      handler: () => reply(404, { id: 1 as unknown as string }),
    });
    await using app = await createTestApp({ routes: [route] });
    const response = await app.inject({ method: "GET", url: "/thing" });
    expect([response.statusCode, errorOf(response).code]).toEqual([500, "INTERNAL_ERROR"]);
  });
});
