import type { Check } from "../check.ts";
import { expect, expectEqual, expectError, expectStatus } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import type { Target } from "../target.ts";
import type { WireResponse } from "../wire/response.ts";
import { send } from "../wire/send.ts";
import { unknownPath, withInstance } from "./steps.ts";

const ALLOWED = ["https://a.example", "http://b.example:8443"];
const STRANGERS = [
  "https://a.example.evil.example",
  "https://evil-a.example",
  "http://a.example",
  "https://a.example:444",
  "https://A.EXAMPLE.",
  "https://a.example/",
  "null",
  "*",
  "",
];
const PREFLIGHT = {
  "Access-Control-Request-Method": "POST",
  "Access-Control-Request-Headers": "content-type, x-request-id",
};

/** Cross-origin requests: off by default, and limited to the configured origins. */
export const corsChecks: Check[] = [
  {
    id: "cors.none-by-default",
    sentence: STANDARD.cors,
    async run({ url }) {
      for (const path of ["/health", unknownPath()]) {
        const response = await send(url, { path, headers: { Origin: "https://a.example" } });
        expectEqual(corsHeaders(response), [], `${path}: CORS headers`);
      }
    },
  },
  {
    id: "cors.no-preflight-by-default",
    sentence: STANDARD.cors,
    async run({ url }) {
      const headers = { Origin: "https://a.example", ...PREFLIGHT };
      const response = await send(url, { method: "OPTIONS", path: "/health", headers });
      expectEqual(corsHeaders(response), [], "CORS headers of a preflight");
      expectError(response, 405);
    },
  },
  {
    id: "cors.configured-origins",
    sentence: STANDARD.cors,
    async run(target) {
      await withOrigins(target, async (url) => {
        for (const Origin of ALLOWED) {
          const response = await send(url, { path: "/health", headers: { Origin } });
          expectStatus(response, 200);
          expectEqual(response.header("access-control-allow-origin"), Origin, "allowed origin");
          expect(varies(response), "an answer that depends on the origin has no Vary: Origin");
        }
      });
    },
  },
  {
    id: "cors.strangers",
    sentence: STANDARD.cors,
    async run(target) {
      await withOrigins(target, async (url) => {
        for (const Origin of STRANGERS) {
          const response = await send(url, { path: "/health", headers: { Origin } });
          expectEqual(response.all("access-control-allow-origin"), [], `allowed for ${Origin}`);
        }
      });
    },
  },
  {
    id: "cors.preflight",
    sentence: STANDARD.cors,
    async run(target) {
      await withOrigins(target, async (url) => {
        const headers = { Origin: "https://a.example", ...PREFLIGHT };
        const response = await send(url, { method: "OPTIONS", path: "/health", headers });
        expectStatus(response, 200, 204);
        const listOf = (name: string): string[] =>
          (response.header(name) ?? "").toLowerCase().split(/\s*,\s*/);
        expectEqual(response.header("access-control-allow-origin"), headers.Origin, "origin");
        expect(listOf("access-control-allow-methods").includes("post"), "POST is not allowed");
        for (const name of ["content-type", "x-request-id"]) {
          expect(listOf("access-control-allow-headers").includes(name), `${name} is not allowed`);
        }
      });
    },
  },
  {
    id: "cors.preflight-of-a-stranger",
    sentence: STANDARD.cors,
    async run(target) {
      await withOrigins(target, async (url) => {
        const headers = { Origin: "https://evil.example", ...PREFLIGHT };
        const response = await send(url, { method: "OPTIONS", path: "/health", headers });
        // "what else its preflight answers is left to the framework's usual package".
        expectEqual(
          corsHeaders(response).filter((name) => name === "access-control-allow-origin"),
          [],
          "Access-Control-Allow-Origin of a stranger's preflight",
        );
      });
    },
  },
  {
    id: "cors.on-errors",
    sentence: STANDARD.cors,
    async run(target) {
      await withOrigins(target, async (url) => {
        const headers = { Origin: "https://a.example" };
        const missing = await send(url, { path: unknownPath(), headers });
        const refused = await send(url, { path: "/health", method: "DELETE", headers });
        expectError(missing, 404);
        expectError(refused, 405);
        for (const response of [missing, refused]) {
          expectEqual(response.header("access-control-allow-origin"), headers.Origin, "origin");
        }
      });
    },
  },
  {
    id: "cors.request-id-readable",
    sentence: STANDARD.requestIdEverywhere,
    async run(target) {
      await withOrigins(target, async (url) => {
        const headers = { Origin: "https://a.example" };
        const response = await send(url, { path: "/health", headers });
        const exposed = response.header("access-control-expose-headers") ?? "";
        expect(/x-request-id/i.test(exposed), `exposed headers: ${exposed}`);
      });
    },
  },
  {
    id: "cors.header-injection",
    sentence: STANDARD.cors,
    async run(target) {
      await withOrigins(target, async (url) => {
        const headers = {
          Origin: "https://a.example",
          ...PREFLIGHT,
          "Access-Control-Request-Headers": Buffer.from([0x78, 0xe9, 0xff, 0x22, 0x3c]),
        };
        const response = await send(url, { method: "OPTIONS", path: "/health", headers });
        expect(response.status < 500, `a strange header name: ${response.status}`);
      });
    },
  },
];

function withOrigins(target: Target, use: (url: string) => Promise<void>): Promise<void> {
  const environment = { CORS_ORIGINS: ALLOWED.join(",") };
  return withInstance(target, { environment }, ({ url }) => use(url));
}

function corsHeaders(response: WireResponse): string[] {
  return response.headers
    .map(([name]) => name)
    .filter((name) => name.startsWith("access-control-allow"));
}

function varies(response: WireResponse): boolean {
  return response.all("vary").some((value) => /(^|,)\s*(origin|\*)\s*(,|$)/i.test(value));
}
