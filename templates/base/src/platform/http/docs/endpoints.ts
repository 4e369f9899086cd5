import type { Endpoint } from "../endpoint.ts";
import { type AssetName, ASSETS, readAsset } from "./assets.ts";

// Both pages run on this service's own files alone, and the policy makes the browser see to it.
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "worker-src 'self' blob:",
].join("; ");

const TYPES: Record<string, string> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

/**
 * `/openapi.json`, and the pages `/docs` (Swagger UI) and `/redoc` that show it.
 * @param describe makes the OpenAPI document.
 */
export function docsEndpoints(describe: () => object): Endpoint[] {
  const assets = Object.keys(ASSETS).map((name) => asset(name as AssetName));
  return [
    constant(
      "/openapi.json",
      "application/json",
      once(() => JSON.stringify(describe())),
    ),
    constant("/docs", "text/html; charset=utf-8", () => SWAGGER_PAGE),
    constant("/redoc", "text/html; charset=utf-8", () => REDOC_PAGE),
    ...assets,
  ];
}

/** The document is made when it is first asked for: a start need not wait for it. */
function once(make: () => string): () => string {
  let made: string | undefined;
  return () => (made ??= make());
}

function constant(path: string, type: string, body: () => string): Endpoint {
  const headers = { "Content-Type": type, "Content-Security-Policy": POLICY };
  return {
    method: "GET",
    path,
    answer: () => ({ status: 200, headers, body: body() }),
  };
}

function asset(name: AssetName): Endpoint {
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
  const headers = { "Content-Type": type, "Cache-Control": "public, max-age=3600" };
  return {
    method: "GET",
    path: `/docs/${name}`,
    answer: async () => ({ status: 200, headers, body: await readAsset(name) }),
  };
}

const SWAGGER_PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>API documentation</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script>
      SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true });
    </script>
  </body>
</html>
`;

const REDOC_PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>API documentation</title>
    <link rel="icon" href="data:," />
  </head>
  <body>
    <redoc spec-url="/openapi.json"></redoc>
    <script src="/docs/redoc.standalone.js"></script>
  </body>
</html>
`;
