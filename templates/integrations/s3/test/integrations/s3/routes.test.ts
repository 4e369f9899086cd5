import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { createTestApp, errorOf, type TestApp } from "../../support.ts";

const image = Buffer.from("not really an image");
const sha256 = createHash("sha256").update(image).digest("hex");

function put(app: TestApp, payload = image, type = "image/png") {
  const headers = { "content-type": type };
  return app.inject({ method: "PUT", url: "/api/v1/images", payload, headers });
}

test("an image is stored under its hash, once", async () => {
  await using app = await createTestApp();
  const first = await put(app);
  expect([first.statusCode, first.json()]).toEqual([201, { sha256, bytes: image.length }]);
  expect(first.headers.location).toBe(`/api/v1/images/${sha256}`);
  const second = await put(app);
  expect([second.statusCode, second.json()]).toEqual([200, first.json()]);
});

test("an image has a URL of its own for a while", async () => {
  await using app = await createTestApp();
  const { location } = (await put(app)).headers;
  const response = await app.inject({ method: "GET", url: location! });
  expect([response.statusCode, response.headers["cache-control"]]).toEqual([200, "no-store"]);
  const { url, expiresAt } = response.json<{ url: string; expiresAt: string }>();
  expect(Buffer.from(await (await fetch(url)).arrayBuffer())).toEqual(image);
  expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
});

test("an unknown hash is not found, and what is no hash is refused", async () => {
  await using app = await createTestApp();
  const get = (hash: string) => app.inject({ method: "GET", url: `/api/v1/images/${hash}` });
  expect((await get(sha256)).statusCode).toBe(404);
  expect((await get("x")).statusCode).toBe(400);
});

test.each([
  ["an empty body", Buffer.alloc(0), "image/png", "VALIDATION_ERROR"],
  ["what could be a page with scripts", image, "image/svg+xml", "UNSUPPORTED_MEDIA_TYPE"],
  ["JSON", image, "application/json", "UNSUPPORTED_MEDIA_TYPE"],
])("%s is refused", async (_name, payload, type, code) => {
  await using app = await createTestApp();
  expect(errorOf(await put(app, payload, type)).code).toBe(code);
});
