import { describe, expect, test } from "vitest";
import { integrationRoutes } from "../../src/integrations/routes.ts";
import { documentationPages } from "../../src/platform/http/docs.ts";
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

describe("a page", () => {
  const EVERY = [
    "/openapi.json",
    "/docs",
    "/redoc",
    "/docs/swagger-ui.css",
    "/docs/swagger-ui-bundle.js",
    "/docs/oauth2-redirect.html",
    "/docs/oauth2-redirect.js",
    "/docs/redoc.standalone.js",
  ];

  test("is one of these", () => {
    expect(documentationPages(() => ({})).map(({ path }) => path)).toEqual(EVERY);
  });

  test.each(EVERY)("%s is read once, for all requests", async (path) => {
    const page = documentationPages(() => ({})).find((one) => one.path === path)!;
    const [one, other] = await Promise.all([page.answer(undefined), page.answer('"other"')]);
    expect(one.status).toBe(200);
    expect(one.body!.length).toBeGreaterThan(0);
    expect(other.body).toBe(one.body);
  });

  test.each(EVERY)("%s is not sent again to whoever has it", async (url) => {
    await using app = await createTestApp();
    const first = await app.inject({ method: "GET", url });
    const tag = String(first.headers["etag"]);
    expect(tag).toMatch(/^"[\w-]{43}"$/);
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      const again = await app.inject({ method: "GET", url, headers: { "if-none-match": known } });
      expect(again.statusCode).toBe(304);
      expect(again.body).toBe("");
      expect(again.headers["etag"]).toBe(tag);
    }
    const other = await app.inject({ method: "GET", url, headers: { "if-none-match": '"other"' } });
    expect(other.statusCode).toBe(200);
  });

  test("that is not sent again has no length", async () => {
    await using app = await createTestApp();
    const headers = { "if-none-match": "*" };
    const answer = await app.inject({ method: "GET", url: "/docs/swagger-ui.css", headers });
    expect(answer.statusCode).toBe(304);
    expect(answer.headers).not.toHaveProperty("content-length");
    expect(answer.headers).not.toHaveProperty("content-type");
  });

  test("that the service makes is asked for again each time, its files once an hour", async () => {
    const cached = await Promise.all(
      documentationPages(() => ({})).map(async ({ answer }) => {
        const { headers } = await answer(undefined);
        return headers["Cache-Control"];
      }),
    );
    const hour = "public, max-age=3600";
    expect(cached).toEqual(["no-cache", "no-cache", "no-cache", hour, hour, hour, hour, hour]);
  });
});

describe("the document", () => {
  test("is made when it is first asked for, and once", async () => {
    let made = 0;
    const pages = documentationPages(() => ({ made: ++made }));
    const assets = pages.filter(({ path }) => path.startsWith("/docs/"));
    await Promise.all(assets.map(({ answer }) => answer(undefined)));
    expect(made).toBe(0);
    await Promise.all(pages.map(({ answer }) => answer(undefined)));
    expect(made).toBe(1);
  });

  test("that cannot be made fails each request for it, and not the files", async () => {
    const pages = documentationPages(() => {
      throw new Error("two schemas have one id");
    });
    const [json, , , css] = pages;
    await expect(json!.answer(undefined)).rejects.toThrow("two schemas have one id");
    await expect(json!.answer(undefined)).rejects.toThrow("two schemas have one id");
    expect((await css!.answer(undefined)).status).toBe(200);
  });
});

describe("the Authorize button", () => {
  const policyOf = async (document: object): Promise<string> => {
    const page = documentationPages(() => document).find(({ path }) => path === "/docs")!;
    return (await page.answer(undefined)).headers["Content-Security-Policy"]!;
  };

  test("keeps what was entered, and comes back to this service from a login", async () => {
    const page = documentationPages(() => ({})).find(({ path }) => path === "/docs")!;
    const html = String((await page.answer(undefined)).body);
    expect(html).toContain("persistAuthorization: true");
    expect(html).toContain("/docs/oauth2-redirect.html");
  });

  test("may ask this service, and for a token whoever issues it", async () => {
    expect(await policyOf({})).toContain("connect-src 'self';");
    const flow = {
      authorizationUrl: "https://login.example/authorize",
      tokenUrl: "https://login.example:8443/token",
      refreshUrl: "https://login.example:8443/refresh",
    };
    const securitySchemes = { login: { type: "oauth2", flows: { authorizationCode: flow } } };
    const policy = await policyOf({ components: { securitySchemes } });
    expect(policy).toContain("connect-src 'self' https://login.example:8443;");
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
