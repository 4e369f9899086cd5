import { type Check, NotChecked } from "../check.ts";
import { expect, expectEqual, expectError, expectStatus } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import type { Target } from "../target.ts";
import { send } from "../wire/send.ts";
import { versionOf, withInstance } from "./steps.ts";

const ROUTES = ["/docs", "/redoc", "/openapi.json"];

/** The documentation pages: where they are on, where they are off, and what they load. */
export const docsChecks: Check[] = [
  {
    id: "docs.pages",
    sentence: STANDARD.docs,
    async run(target) {
      await withDocs(target, async (url) => {
        for (const path of ["/docs", "/redoc"]) {
          const page = await send(url, path);
          expectStatus(page, 200);
          const type = page.header("content-type") ?? "";
          expect(/^text\/html; ?charset=utf-8$/i.test(type), `${path}: content-type is ${type}`);
        }
        expect(/swagger/i.test((await send(url, "/docs")).text), "/docs is not Swagger UI");
        expect(/redoc/i.test((await send(url, "/redoc")).text), "/redoc is not Redoc");
      });
    },
  },
  {
    id: "docs.no-cdn",
    sentence: STANDARD.docs,
    async run(target) {
      await withDocs(target, async (url) => {
        for (const path of ["/docs", "/redoc"]) {
          const page = await send(url, path);
          const remote = links(page.text).filter((link) => /^(https?:)?\/\//i.test(link));
          expectEqual(remote, [], `${path}: what it loads from elsewhere`);
        }
      });
    },
  },
  {
    id: "docs.assets",
    sentence: STANDARD.docs,
    async run(target) {
      await withDocs(target, async (url) => {
        for (const path of ["/docs", "/redoc"]) {
          const page = await send(url, path);
          const own = links(page.text).filter((link) => !/^(data:|https?:|\/\/|#)/i.test(link));
          expect(own.length > 0, `${path}: it loads nothing`);
          for (const link of own) {
            const asset = await send(url, new URL(link, `http://service${path}`).pathname);
            expectStatus(asset, 200);
            expect(asset.body.length > 0, `${link}: empty`);
            expect(!/html/.test(asset.header("content-type") ?? "html"), `${link}: not an asset`);
          }
        }
      });
    },
  },
  {
    id: "docs.off-in-prod",
    sentence: STANDARD.docs,
    async run(target) {
      await withInstance(target, { environment: { ENVIRONMENT: "prod" } }, async ({ url }) => {
        for (const path of [...ROUTES, "/docs/", "/docs/swagger-ui-bundle.js", "/openapi.yaml"]) {
          expectError(await send(url, path), 404);
        }
      });
    },
  },
  ...["dev", "stage", "preprod"].map((environment): Check => ({
    id: `docs.on-in-${environment}`,
    sentence: STANDARD.docs,
    async run(target) {
      await withInstance(target, { environment: { ENVIRONMENT: environment } }, async ({ url }) => {
        for (const path of ROUTES) expectStatus(await send(url, path), 200);
        expectEqual((await versionOf({ url })).environment, environment, "environment");
      });
    },
  })),
];

/** Runs `use` when the target serves its documentation. @throws {NotChecked} when it runs in prod. */
export async function withDocs(target: Target, use: (url: string) => Promise<void>): Promise<void> {
  const { environment } = await versionOf(target);
  if (environment === "prod") throw new NotChecked("the documentation is off in prod");
  await use(target.url);
}

function links(html: string): string[] {
  return Array.from(
    html.matchAll(/\b(?:src|href|spec-url|url)\s*[=:]\s*["']([^"']*)["']/g),
    (match) => {
      return match[1] ?? "";
    },
  );
}
