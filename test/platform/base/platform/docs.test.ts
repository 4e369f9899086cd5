import { describe, expect, test } from "vitest";
import { integrationRoutes } from "../../src/integrations/routes.ts";
import { createTestApp } from "../support.ts";

const PAGES = ["/docs", "/redoc", "/openapi.json"];

describe("the documentation", () => {
  test.each(PAGES)("%s is there in dev and stage", async (url) => {
    await using app = await createTestApp({ env: { ENVIRONMENT: "stage" } });
    expect((await app.inject({ method: "GET", url })).statusCode).toBe(200);
  });

  test.each(PAGES)("%s is off in prod", async (url) => {
    await using app = await createTestApp({ env: { ENVIRONMENT: "prod" } });
    expect((await app.inject({ method: "GET", url })).statusCode).toBe(404);
  });

  test.each(["/docs", "/redoc"])("%s loads nothing from elsewhere", async (url) => {
    await using app = await createTestApp();
    const page = await app.inject({ method: "GET", url });
    expect(page.headers["content-security-policy"]).toContain("default-src 'self'");
    const files = Array.from(page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g), ([, file]) => file!);
    expect(files.length).toBeGreaterThan(0);
    expect(page.body).not.toMatch(/https?:\/\//);
    for (const file of files) {
      const asset = await app.inject({ method: "GET", url: file });
      expect(asset.statusCode).toBe(200);
      expect(asset.rawPayload.length).toBeGreaterThan(10_000);
    }
  });
});

test("openapi.json is made of the routes, errors included", async () => {
  await using app = await createTestApp();
  const document = (await app.inject({ method: "GET", url: "/openapi.json" })).json();
  expect(document.openapi).toBe("3.1.0");
  const paths = [
    "/health",
    "/health/ready",
    "/health/version",
    "/api/v1/receipts/points",
    "/api/v1/receipts/rules",
    ...new Set(integrationRoutes.map(({ path }) => path)),
  ];
  // And those of the routes that were added since.
  expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(paths));
  const { post } = document.paths["/api/v1/receipts/points"];
  expect(Object.keys(post.responses)).toEqual(["200", "400", "413", "415", "500"]);
  expect(post.requestBody.content["application/json"].schema).toEqual({
    $ref: "#/components/schemas/Receipt",
  });
  const refused = document.components.responses.VALIDATION_ERROR.content["application/json"];
  expect(refused.schema).toEqual({ $ref: "#/components/schemas/Error" });
  expect(document.components.schemas.Error.properties.error.required).toEqual([
    "code",
    "message",
    "request_id",
    "timestamp",
  ]);
});
