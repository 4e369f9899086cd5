import { expect, test } from "vitest";
import { createTestApp } from "../support.ts";

const env = { CORS_ORIGINS: "https://a.example, https://b.example" };
const preflight = {
  method: "OPTIONS",
  url: "/api/v1/receipts/points",
  headers: {
    origin: "https://a.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
  },
} as const;

test("no origin is allowed by default", async () => {
  await using app = await createTestApp();
  const response = await app.inject({
    method: "GET",
    url: "/health",
    headers: { origin: "https://a.example" },
  });
  expect(response.headers).not.toHaveProperty("access-control-allow-origin");
  expect((await app.inject(preflight)).statusCode).toBe(405);
});

test("a configured origin may read the response and its ids", async () => {
  await using app = await createTestApp({ env });
  const response = await app.inject({
    method: "GET",
    url: "/health",
    headers: { origin: "https://b.example" },
  });
  expect(response.headers).toMatchObject({
    "access-control-allow-origin": "https://b.example",
    "access-control-expose-headers": "X-Request-ID, X-Correlation-ID",
    vary: "Origin",
  });
});

test("another origin gets its answer without permission to read it", async () => {
  await using app = await createTestApp({ env });
  const response = await app.inject({
    method: "GET",
    url: "/health",
    headers: { origin: "https://c.example" },
  });
  expect(response.statusCode).toBe(200);
  expect(response.headers).not.toHaveProperty("access-control-allow-origin");
  expect(response.headers.vary).toBe("Origin");
});

test("a preflight request is answered before the routes", async () => {
  await using app = await createTestApp({ env });
  const response = await app.inject(preflight);
  expect(response.statusCode).toBe(204);
  expect(response.headers).toMatchObject({
    "access-control-allow-origin": "https://a.example",
    "access-control-allow-headers": "content-type",
    "access-control-allow-methods": expect.stringContaining("POST"),
  });
});

test("errors carry the permission too", async () => {
  await using app = await createTestApp({ env });
  const response = await app.inject({
    method: "GET",
    url: "/nowhere",
    headers: { origin: "https://a.example" },
  });
  expect(response.statusCode).toBe(404);
  expect(response.headers["access-control-allow-origin"]).toBe("https://a.example");
});
