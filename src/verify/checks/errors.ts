import { gzipSync } from "node:zlib";

import { type Check, needed } from "../check.ts";
import {
  errorOf,
  expect,
  expectEqual,
  expectError,
  expectNoFailure,
  expectNoInternals,
  expectStatus,
  show,
} from "../expect.ts";
import { STANDARD } from "../standard.ts";
import type { Target } from "../target.ts";
import { withConnection } from "../wire/connection.ts";
import { chunked, formatRequest, send } from "../wire/send.ts";
import { expectAlive, expectNowhere, postJson, postText, unknownPath, validBody } from "./steps.ts";

const MEBIBYTE = 1_048_576;
const TOO_LARGE = 24 * MEBIBYTE;

const FOREIGN_TYPES = [
  "text/plain",
  "text/html",
  "application/xml",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/octet-stream",
];

const ODD_TYPES = [
  "application/jsonp",
  "application/json-seq",
  "text/json",
  "json",
  "application",
  "/",
  "*/*",
  "application/json, text/plain",
];

const MALFORMED = [
  "",
  " ",
  "{",
  "}",
  "nul",
  "undefined",
  "NaN",
  "{'a':1}",
  '{"a":1,}',
  "[1,]",
  '{"a":1}}',
  '{"a":1}{"b":2}',
  '{"a":01}',
  '{"a":.5}',
  '{"a":+1}',
  '{"a":0x10}',
  '{"a":Infinity}',
  '{"a":"\n"}',
  '{"a":"\\x41"}',
  '{"a":"\\u12"}',
  "/* comment */ {}",
  "a=1&b=2",
  "<a/>",
];

/** The error body and its codes, for everything that a caller can do wrong. */
export const errorChecks: Check[] = [
  {
    id: "errors.404",
    sentence: STANDARD.errorBody,
    async run({ url }) {
      for (const path of ["/", unknownPath(), "/favicon.ico", "/robots.txt", "/healthz", "/api"]) {
        expectError(await send(url, path), 404, "NOT_FOUND");
      }
    },
  },
  {
    id: "errors.404-for-every-method",
    sentence: STANDARD.errorBody,
    async run({ url }) {
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        expectError(await send(url, { method, path: unknownPath() }), 404, "NOT_FOUND");
      }
    },
  },
  {
    id: "errors.404-with-a-body",
    sentence: STANDARD.errorBody,
    async run({ url }) {
      for (const [type, body] of [
        ["application/json", "{"],
        ["text/plain", "text"],
        ["application/xml", "<a/>"],
      ] as const) {
        const headers = { "Content-Type": type };
        const response = await send(url, { method: "POST", path: unknownPath(), headers, body });
        expectError(response, 404, "NOT_FOUND");
      }
    },
  },
  {
    id: "errors.405-allow",
    sentence: STANDARD.codes,
    async run({ url }) {
      const response = await send(url, { method: "DELETE", path: "/health" });
      expectError(response, 405, "METHOD_NOT_ALLOWED");
      const allow = (response.header("allow") ?? "").split(/\s*,\s*/);
      expect(allow.includes("GET"), `header Allow of /health: ${show(allow)}`);
      expect(!allow.includes("DELETE"), "header Allow names the method that was refused");
    },
  },
  {
    id: "errors.405-of-a-json-route",
    sentence: STANDARD.codes,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      for (const method of ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
        const response = await send(target.url, { method, path });
        expectError(response, 405, "METHOD_NOT_ALLOWED");
        expectEqual(response.header("allow"), "POST", `${method} ${path}: header Allow`);
      }
    },
  },
  {
    id: "errors.405-before-the-body",
    sentence: STANDARD.codes,
    async run({ url }) {
      const headers = { "Content-Type": "text/plain" };
      for (const body of ["text", "{"]) {
        const response = await send(url, { method: "POST", path: "/health", headers, body });
        expectError(response, 405, "METHOD_NOT_ALLOWED");
      }
    },
  },
  {
    id: "errors.rare-methods",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run({ url }) {
      for (const method of ["TRACE", "PROPFIND", "PURGE", "SEARCH", "LINK", "MKCOL", "QUERY"]) {
        const response = await send(url, { method, path: "/health" });
        expectError(response, response.status === 400 ? 400 : 405);
        expectNowhere([response], "X-Trace-Me");
      }
      await expectAlive({ url });
    },
  },
  {
    id: "errors.413-whole-body",
    destructive: true,
    sentence: STANDARD.errorBody,
    async run(target) {
      const body = Buffer.alloc(TOO_LARGE, "1");
      expectError(await postText(target, body), 413, "PAYLOAD_TOO_LARGE");
      await expectAlive(target);
    },
  },
  {
    id: "errors.413-without-waiting-for-the-body",
    level: "hardening",
    destructive: true,
    sentence: STANDARD.errorBody,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      await withConnection(target.url, async (connection) => {
        const headers = { "Content-Type": "application/json", "Content-Length": "10000000000" };
        connection.write(formatRequest(target.url, { method: "POST", path, headers }));
        connection.write("[".repeat(1_000));
        expectError(await connection.read("POST of 10 GB"), 413, "PAYLOAD_TOO_LARGE");
      });
    },
  },
  {
    id: "errors.413-of-chunks",
    destructive: true,
    sentence: STANDARD.errorBody,
    run: (target) => expectTooManyChunks(target, "0\r\n\r\n"),
  },
  {
    id: "errors.413-of-chunks-without-end",
    level: "hardening",
    destructive: true,
    sentence: STANDARD.errorBody,
    run: (target) => expectTooManyChunks(target, ""),
  },
  {
    id: "errors.415",
    sentence: STANDARD.errorBody,
    run: (target) => expectForeign(target, FOREIGN_TYPES),
  },
  {
    id: "errors.415-odd-types",
    level: "hardening",
    sentence: STANDARD.errorBody,
    run: (target) => expectForeign(target, ODD_TYPES),
  },
  {
    id: "errors.415-no-content-type",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      expectError(await postText(target, "text", {}), 415, "UNSUPPORTED_MEDIA_TYPE");
      const empty = await postText(target, "text", { "Content-Type": "" });
      expectError(empty, 415, "UNSUPPORTED_MEDIA_TYPE");
    },
  },
  {
    id: "errors.json-with-parameters",
    sentence: STANDARD.validation,
    async run(target) {
      const body = JSON.stringify(validBody(target));
      for (const type of [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "APPLICATION/JSON",
      ]) {
        expectStatus(await postText(target, body, { "Content-Type": type }), 200, 201, 202);
      }
    },
  },
  {
    id: "errors.compressed-body",
    level: "hardening",
    destructive: true,
    sentence: STANDARD.boundary,
    async run(target) {
      const body = gzipSync(JSON.stringify(validBody(target)));
      const json = { "Content-Type": "application/json" };
      for (const encoding of ["gzip", "br", "nonsense", "gzip, gzip"]) {
        const response = await postText(target, body, { ...json, "Content-Encoding": encoding });
        expectNoFailure(response);
      }
      const bomb = gzipSync(Buffer.alloc(TOO_LARGE, " "));
      expectNoFailure(await postText(target, bomb, { ...json, "Content-Encoding": "gzip" }));
      await expectAlive(target);
    },
  },
  {
    id: "errors.malformed-json",
    sentence: STANDARD.errorBody,
    async run(target) {
      for (const body of MALFORMED) {
        expectError(await postText(target, body), 400, "VALIDATION_ERROR");
      }
    },
  },
  {
    id: "errors.malformed-json-in-chunks",
    sentence: STANDARD.errorBody,
    async run(target) {
      const headers = { "Content-Type": "application/json", "Transfer-Encoding": "chunked" };
      for (const body of [chunked("{", '"a"'), chunked()]) {
        expectError(await postText(target, body, headers), 400, "VALIDATION_ERROR");
      }
    },
  },
  {
    id: "errors.json-of-another-kind",
    sentence: STANDARD.boundary,
    async run(target) {
      for (const body of ["null", "true", "0", '"text"', "[]", "[[]]", "{}", '{"a":1}']) {
        expectError(await postText(target, body), 400, "VALIDATION_ERROR");
      }
    },
  },
  {
    id: "errors.details-name-the-fields",
    sentence: STANDARD.errorBody,
    async run(target) {
      const valid = validBody(target);
      for (const field of Object.keys(valid)) {
        const response = await postJson(target, { ...valid, [field]: { wrong: true } });
        expectError(response, 400, "VALIDATION_ERROR");
        const named = (errorOf(response).details ?? []).map((detail) => detail.field);
        expect(
          named.some((name) => name.split(".").includes(field)),
          `${field} is wrong, and details name ${show(named)}`,
        );
      }
    },
  },
  {
    id: "errors.details-list-everything",
    sentence: STANDARD.errorBody,
    async run(target) {
      const fields = Object.keys(validBody(target));
      const response = await postJson(target, {});
      const named = (errorOf(response).details ?? []).map((detail) => detail.field);
      const missing = fields.filter(
        (field) => !named.some((name) => name.split(".").includes(field)),
      );
      expectEqual(missing, [], "required fields that are missing and not in details");
    },
  },
  {
    id: "errors.details-do-not-echo-values",
    sentence: STANDARD.secrets,
    async run(target) {
      const valid = validBody(target);
      const secret = "hunter2-hunter2";
      for (const field of Object.keys(valid)) {
        const response = await postJson(target, { ...valid, [field]: { password: secret } });
        expectNowhere([response], secret);
      }
    },
  },
  {
    id: "errors.500-generic",
    sentence: STANDARD.internalError,
    async run(target) {
      const { failing, secret } = needed(target.probes, "probes");
      const messages = new Set<string>();
      for (const path of failing) {
        const response = await send(target.url, path);
        expectError(response, 500, "INTERNAL_ERROR");
        expectNowhere([response], secret);
        expectEqual(errorOf(response).details, undefined, `${path}: error.details`);
        messages.add(errorOf(response).message);
      }
      expectEqual(messages.size, 1, "number of different messages of 500");
      await expectAlive(target);
    },
  },
  {
    id: "errors.500-for-a-broken-response",
    sentence: STANDARD.brokenResponse,
    async run(target) {
      const { brokenResponse, secret } = needed(target.probes, "probes");
      const response = await send(target.url, brokenResponse);
      expectError(response, 500, "INTERNAL_ERROR");
      expectNowhere([response], secret);
    },
  },
  {
    id: "errors.no-internal-names-in-headers",
    level: "hardening",
    sentence: STANDARD.internalError,
    async run(target) {
      const answers = [
        await send(target.url, "/health"),
        await send(target.url, unknownPath()),
        await postText(target, "{"),
      ];
      for (const response of answers) {
        expectEqual(response.all("x-powered-by"), [], "header X-Powered-By");
        const server = response.header("server") ?? "";
        expect(!/node|express|fastify|uvicorn|\d/i.test(server), `header Server: ${server}`);
        expectNoInternals(response);
      }
    },
  },
  {
    id: "errors.accept-does-not-matter",
    sentence: STANDARD.errorBody,
    async run({ url }) {
      for (const accept of ["text/html", "application/xml", "*/*;q=0", "", "nonsense"]) {
        const response = await send(url, { path: unknownPath(), headers: { Accept: accept } });
        expectError(response, 404, "NOT_FOUND");
      }
    },
  },
  {
    id: "errors.timestamp-is-now",
    sentence: STANDARD.errorBody,
    async run({ url }) {
      const before = Date.now();
      const response = await send(url, unknownPath());
      const at = Date.parse(errorOf(response).timestamp);
      // Clocks of two machines differ; a service in another time zone would be off by an hour.
      expect(Math.abs(at - before) < 1_800_000, `timestamp is ${errorOf(response).timestamp}`);
    },
  },
];

async function expectTooManyChunks(target: Target, end: string): Promise<void> {
  const { path } = needed(target.jsonRoute, "jsonRoute");
  await withConnection(target.url, async (connection) => {
    const headers = { "Content-Type": "application/json", "Transfer-Encoding": "chunked" };
    connection.write(formatRequest(target.url, { method: "POST", path, headers }));
    const chunk = `${MEBIBYTE.toString(16)}\r\n${"1".repeat(MEBIBYTE)}\r\n`;
    for (let sent = 0; sent < TOO_LARGE; sent += MEBIBYTE) connection.write(chunk);
    connection.write(end);
    expectError(await connection.read("POST of 24 MiB in chunks"), 413, "PAYLOAD_TOO_LARGE");
  });
  await expectAlive(target);
}

async function expectForeign(target: Target, types: readonly string[]): Promise<void> {
  for (const type of types) {
    const response = await postText(target, "{}", { "Content-Type": type });
    expectError(response, 415, "UNSUPPORTED_MEDIA_TYPE");
  }
}
