import { type Check, needed } from "../check.ts";
import { expect, expectEqual, expectNoFailure, expectRefusal, expectStatus } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import { Connection } from "../wire/connection.ts";
import { send } from "../wire/send.ts";
import { expectAlive, unknownPath } from "./steps.ts";

const ODD_PATHS = [
  "/health/",
  "/health//ready",
  "//health",
  "///",
  "/./health",
  "/health/.",
  "/health/..",
  "/HEALTH",
  "/Health",
  "/health;a=b",
  "/health%20",
  "/health%2F",
  "/%2Fhealth",
  "/heal%74h",
  "/health%00",
  "/health%0d%0aSet-Cookie:x=1",
  "/%",
  "/%zz",
  "/%c0%af",
  "/%ff",
  "/%ed%a0%80",
  "/api/v1/%",
  "/:id",
  "/*",
  "/{id}",
  "/__proto__",
  "/constructor",
  "/toString",
  "/api/v1/__proto__/constructor",
  "/health#fragment",
  "/health\\ready",
  "/<script>alert(1)</script>",
  "/prüfung",
  "/'%20OR%201=1--",
  "/${7*7}",
];

const TRAVERSALS = [
  "/../../../../etc/passwd",
  "/docs/../../../../etc/passwd",
  "/docs/../package.json",
  "/docs/..%2fpackage.json",
  "/docs/%2e%2e/package.json",
  "/docs/%2e%2e%2f%2e%2e%2fpackage.json",
  "/docs/..%252fpackage.json",
  "/docs/..\\package.json",
  "/docs/..%5cpackage.json",
  "/docs//etc/passwd",
  "/docs/....//package.json",
  "/docs/%00",
  "/docs/swagger-ui.css%00.js",
  "/.env",
  "/.git/config",
  "/package.json",
  "/docs/.env",
];

/** Queries that no route may stumble over. */
export const QUERIES = [
  "a=1&a=2",
  "a[]=1&a[]=2",
  "a[b][c]=1",
  "__proto__[polluted]=1",
  "constructor[prototype][polluted]=1",
  "__proto__.polluted=1",
  "a",
  "=",
  "&&&",
  "%",
  "%zz=%zz",
  "a=%00",
  "a=%ff",
  `a=${"b".repeat(4_000)}`,
  Array.from({ length: 800 }, (_, index) => `a${index}=1`).join("&"),
  "a[".repeat(500),
];

/** Paths, queries and HEAD. */
export const pathChecks: Check[] = [
  {
    id: "paths.odd",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      for (const path of ODD_PATHS) {
        const response = await send(target.url, path);
        expectNoFailure(response);
        expectEqual(response.all("set-cookie"), [], `${path}: headers smuggled in`);
        expect(response.status < 300 || response.status >= 400, `${path}: redirected`);
      }
      await expectAlive(target);
    },
  },
  {
    id: "paths.odd-on-the-metrics-port",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      const metricsUrl = needed(target.metricsUrl, "metricsUrl");
      for (const path of [...ODD_PATHS, ...TRAVERSALS]) {
        expectNoFailure(await send(metricsUrl, path));
      }
      expectStatus(await send(metricsUrl, "/metrics"), 200);
    },
  },
  {
    id: "paths.no-open-redirect",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run({ url }) {
      for (const path of [
        "//evil.example/",
        "//evil.example/%2e%2e",
        "/\\evil.example",
        "/%5cevil.example/",
      ]) {
        const response = await send(url, path);
        expectNoFailure(response);
        expectEqual(response.all("location"), [], `${path}: header Location`);
      }
    },
  },
  {
    id: "paths.traversal",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run({ url }) {
      for (const path of TRAVERSALS) {
        const response = await send(url, path);
        expectRefusal(response, [400, 404]);
        expect(!/root:|"dependencies"/.test(response.text), `${path}: a file was sent`);
      }
    },
  },
  {
    id: "paths.long",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      for (const length of [1_000, 4_000, 8_000, 12_000]) {
        const response = await send(target.url, `/${"a".repeat(length)}`);
        expectRefusal(response, [404, 414, 431]);
      }
      for (const length of [100_000, 1_000_000]) {
        const response = await send(target.url, `/${"a".repeat(length)}`);
        expectRefusal(response, [400, 404, 414, 431]);
      }
      await expectAlive(target);
    },
  },
  {
    id: "paths.many-segments",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      for (const path of ["/a".repeat(4_000), "/".repeat(8_000), "/..".repeat(3_000)]) {
        expectNoFailure(await send(target.url, path));
      }
      await expectAlive(target);
    },
  },
  {
    id: "paths.queries",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const { text } = await send(target.url, "/health");
      for (const query of QUERIES) {
        const response = await send(target.url, `/health?${query}`);
        expectStatus(response, 200);
        expectEqual(response.text, text, `GET /health?${query}`);
      }
    },
  },
  {
    id: "paths.error-does-not-echo-markup",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run({ url }) {
      const response = await send(url, "/<img src=x>".replace(" ", "%20"));
      expectNoFailure(response);
      expect(!response.text.includes("<img"), "the path is in the answer as it came");
    },
  },
  {
    id: "head.like-get",
    level: "hardening",
    sentence: STANDARD.indistinguishable,
    async run({ url }) {
      for (const path of ["/health", "/health/ready", "/health/version"]) {
        const get = await send(url, path);
        const head = await send(url, { method: "HEAD", path });
        expectStatus(head, get.status);
        for (const name of ["content-type", "content-length"]) {
          expectEqual(head.header(name), get.header(name), `HEAD ${path}: ${name}`);
        }
      }
    },
  },
  {
    id: "head.errors",
    level: "hardening",
    sentence: STANDARD.requestIdEverywhere,
    async run({ url }) {
      const response = await send(url, { method: "HEAD", path: unknownPath() });
      expectStatus(response, 404);
      expect(response.header("x-request-id") !== undefined, "HEAD 404: no X-Request-ID");
    },
  },
  {
    id: "head.of-a-post-route",
    level: "hardening",
    sentence: STANDARD.codes,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      expectStatus(await send(target.url, { method: "HEAD", path }), 405);
    },
  },
  {
    id: "head.has-no-body",
    level: "hardening",
    sentence: STANDARD.indistinguishable,
    async run({ url }) {
      for (const path of ["/health", "/no-such-route", "/openapi.json"]) {
        const connection = await Connection.open(url);
        connection.write(`HEAD ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        await connection.read(`HEAD ${path}`, "HEAD");
        const rest = await connection.closed(`HEAD ${path}`);
        connection.destroy();
        expectEqual(rest.length, 0, `HEAD ${path}: bytes after the headers`);
      }
    },
  },
];
