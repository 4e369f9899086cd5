import { hash } from "node:crypto";
import { promises as fs } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** A file of the documentation, to be registered as an ordinary route for GET and HEAD. */
export interface Page {
  path: string;
  /** The answer to a request with this If-None-Match. It is made once, and all requests share its one buffer. */
  answer(ifNoneMatch: string | undefined): Promise<PageAnswer>;
}

export interface PageAnswer {
  status: 200 | 304;
  headers: Record<string, string>;
  /** Missing in a 304, which has no Content-Length either. */
  body?: Buffer;
}

/** The browser code of the pages: the name it is served under, and where its package has it. */
const ASSETS: Record<string, string> = {
  "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
  "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
  "oauth2-redirect.html": "swagger-ui-dist/oauth2-redirect.html",
  "oauth2-redirect.js": "swagger-ui-dist/oauth2-redirect.js",
  "redoc.standalone.js": "redoc/bundles/redoc.standalone.js",
};

const TYPES: Record<string, string> = {
  "": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
};

/**
 * `/openapi.json`, the pages `/docs` (Swagger UI) and `/redoc` that show it, and the files that these load.
 * @param describe makes the OpenAPI document; called once, when the first of them is asked for.
 */
export function documentationPages(describe: () => object | Promise<object>): Page[] {
  let made: object | Promise<object> | undefined;
  const document = async (): Promise<object> => (made ??= describe());
  const html = (text: string) => async () => ({
    text,
    headers: { "Content-Security-Policy": policy(await document()) },
  });
  return [
    page("/openapi.json", async () => ({ text: JSON.stringify(await document()) })),
    page("/docs", html(SWAGGER_PAGE)),
    page("/redoc", html(REDOC_PAGE)),
    ...Object.keys(ASSETS).map((name) =>
      page(`/docs/${name}`, async () => ({ text: await readAsset(name) })),
    ),
  ];
}

/** @param load reads or makes the page, with headers of its own. */
function page(
  path: string,
  load: () => Promise<{ text: string; headers?: Record<string, string> }>,
): Page {
  const type = TYPES[extname(path)]!;
  const cacheControl = path.startsWith("/docs/") ? "public, max-age=3600" : "no-cache";
  const loadOnce = async () => {
    const { text, headers } = await load();
    const tag = `"${hash("sha256", text, "base64url")}"`;
    const always = { ...headers, "Cache-Control": cacheControl, ETag: tag };
    return { always, tag, body: Buffer.from(text) };
  };
  let loading: ReturnType<typeof loadOnce> | undefined;
  return {
    path,
    async answer(ifNoneMatch = "") {
      const { always, tag, body } = await (loading ??= loadOnce());
      const known = ifNoneMatch.split(",").map((one) => one.trim().replace(/^W\//, ""));
      if (known.includes("*") || known.includes(tag)) return { status: 304, headers: always };
      return { status: 200, headers: { ...always, "Content-Type": type }, body };
    },
  };
}

// Where the build puts the copies, beside the bundle, so that the two packages stay out of the image.
const builtAssets = new URL("assets/", import.meta.url);

/** Reads an asset: the build's copy, or in development the package's own file. */
async function readAsset(name: string): Promise<string> {
  return fs.readFile(new URL(name, builtAssets), "utf8").catch(() => readPackageFile(name));
}

// Redoc shows its makers' logo, from their CDN.
const REMOTE_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg";

/** Reads the file that an asset is made from, without the one picture that it would load from elsewhere. */
async function readPackageFile(name: string): Promise<string> {
  const text = await fs.readFile(fileURLToPath(import.meta.resolve(ASSETS[name]!)), "utf8");
  return text.replaceAll(REMOTE_LOGO, "data:,");
}

/** For the build: the name and the text of each asset. */
export function readPackageFiles(): Promise<[name: string, text: string][]> {
  const names = Object.keys(ASSETS);
  return Promise.all(names.map(async (name) => [name, await readPackageFile(name)]));
}

/** Both pages run on this service's own files alone; only for a token, Swagger UI may ask the servers that issue it. */
function policy(document: object): string {
  const issuers = JSON.stringify(document).matchAll(
    /"(?:token|refresh)Url":"(https?:\/\/[\w.:-]+)/g,
  );
  return [
    "default-src 'self'",
    ["connect-src 'self'", ...new Set(Array.from(issuers, ([, origin]) => origin))].join(" "),
    "script-src 'self' 'unsafe-inline'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "worker-src 'self' blob:",
  ].join("; ");
}

function htmlPage(body: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>API documentation</title>
    <link rel="icon" href="data:," />
  </head>
  <body>${body}</body>
</html>
`;
}

const SWAGGER_PAGE = htmlPage(`
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script>
      SwaggerUIBundle({
        url: "/openapi.json",
        dom_id: "#swagger-ui",
        deepLinking: true,
        persistAuthorization: true,
        oauth2RedirectUrl: location.origin + "/docs/oauth2-redirect.html",
        validatorUrl: "none",
      });
    </script>
  `);

const REDOC_PAGE = htmlPage(`
    <redoc spec-url="/openapi.json"></redoc>
    <script src="/docs/redoc.standalone.js"></script>
  `);
