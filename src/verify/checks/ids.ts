import { randomUUID } from "node:crypto";

import { type Check, needed } from "../check.ts";
import { expect, expectEqual, expectError, expectStatus, expectUuid, show } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import type { Target } from "../target.ts";
import type { WireResponse } from "../wire/response.ts";
import { type HeaderList, provoke, send } from "../wire/send.ts";
import { expectNowhere, freshId, postText, unknownPath, validBody, withInstance } from "./steps.ts";

const ALLOWED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

const SANE: Record<string, string> = {
  "one character": "a",
  "128 characters": "a".repeat(128),
  "every allowed character": ALLOWED,
  "only punctuation": "._-",
  "a UUID": randomUUID(),
  "digits alone": "0",
};

const INSANE: Record<string, string | Buffer> = {
  empty: "",
  "129 characters": "a".repeat(129),
  "4,000 characters": "a".repeat(4_000),
  "a space inside": "a b",
  "a tab inside": "a\tb",
  "UTF-8": "prüfung-試験",
  "a byte above 127": Buffer.from([0x61, 0xff, 0x62]),
  "a double quote": 'a"b',
  "a single quote": "a'b",
  "a backslash": "a\\b",
  "a slash": "../a",
  markup: "<script>alert(1)</script>",
  "a JSON object": '{"a":1}',
  "a comma": "a,b",
  "a semicolon": "a;b",
  "a line end, encoded": "a%0d%0aSet-Cookie:x=1",
  "a line end, escaped": "a\\r\\nSet-Cookie:x=1",
  "a format string": "%s%n${jndi:ldap://x}",
  "a colon": "a:b",
  "an asterisk": "*",
};

/** `X-Request-ID` and `X-Correlation-ID`: which are kept, which are not, and where they appear. */
export const idChecks: Check[] = [
  ...Object.entries(SANE).map(([name, id]): Check => ({
    id: `request-id.kept: ${name}`,
    sentence: STANDARD.requestId,
    async run({ url }) {
      const response = await ask(url, [["X-Request-ID", id]]);
      expectEqual(response.header("x-request-id"), id, "X-Request-ID");
    },
  })),
  ...Object.entries(INSANE).map(([name, id]): Check => ({
    id: `request-id.replaced: ${name}`,
    sentence: STANDARD.requestId,
    async run({ url }) {
      const response = await ask(url, [["X-Request-ID", id]]);
      expectUuid(response.header("x-request-id"), "X-Request-ID");
      expectEqual(response.all("set-cookie"), [], "headers that the id smuggled in");
    },
  })),
  {
    id: "request-id.replaced: twice",
    level: "hardening",
    sentence: STANDARD.requestId,
    async run({ url }) {
      const twice: HeaderList = ["first", "second"].map((id) => ["X-Request-ID", id] as const);
      expectUuid((await ask(url, twice)).header("x-request-id"), "X-Request-ID");
    },
  },
  {
    id: "request-id.trimmed",
    level: "hardening",
    sentence: STANDARD.requestId,
    async run({ url }) {
      // Spaces around a header's value are no part of it.
      const response = await ask(url, [["X-Request-ID", "  padded \t"]]);
      expectEqual(response.header("x-request-id"), "padded", "X-Request-ID");
    },
  },
  {
    id: "request-id.header-name-in-any-case",
    sentence: STANDARD.requestId,
    async run({ url }) {
      for (const name of ["x-request-id", "X-REQUEST-ID", "X-Request-Id"]) {
        expectEqual(
          (await ask(url, [[name, "any-case"]])).header("x-request-id"),
          "any-case",
          name,
        );
      }
    },
  },
  {
    id: "request-id.line-ends-in-the-value",
    level: "hardening",
    sentence: STANDARD.requestId,
    async run({ url }) {
      for (const end of ["\r", "\n", "\0"]) {
        const bytes = `GET /health HTTP/1.1\r\nHost: a\r\nX-Request-ID: a${end}Set-Cookie: x=1\r\nConnection: close\r\n\r\n`;
        const response = await provoke(url, bytes);
        if (response === undefined) continue;
        expectEqual(response.all("set-cookie"), [], `headers smuggled in with ${show(end)}`);
        if (response.status === 200) expectNoLineEnds(response);
        else expectError(response, 400);
      }
    },
  },
  {
    id: "request-id.new-when-missing",
    sentence: STANDARD.requestId,
    async run({ url }) {
      const ids = await Promise.all(
        Array.from({ length: 50 }, async () => (await ask(url, [])).header("x-request-id")),
      );
      for (const id of ids) expectUuid(id, "X-Request-ID");
      expectEqual(new Set(ids).size, ids.length, "number of different new ids");
    },
  },
  {
    id: "request-id.on-every-status",
    sentence: STANDARD.requestIdEverywhere,
    async run(target) {
      for (const [status, answer] of await answersOfEveryStatus(target)) {
        const id = freshId();
        const response = await answer({ "X-Request-ID": id });
        expectStatus(response, status);
        expectEqual(response.header("x-request-id"), id, `X-Request-ID of ${status}`);
        if (status >= 400) expectError(response, status);
      }
    },
  },
  {
    id: "request-id.on-500",
    sentence: STANDARD.requestIdEverywhere,
    async run(target) {
      for (const path of needed(target.probes, "probes").failing) {
        const id = freshId();
        const response = await send(target.url, { path, headers: { "X-Request-ID": id } });
        expectError(response, 500);
        expectEqual(response.header("x-request-id"), id, `X-Request-ID of ${path}`);
      }
    },
  },
  {
    id: "request-id.on-a-preflight",
    sentence: STANDARD.requestIdEverywhere,
    async run(target) {
      const environment = { CORS_ORIGINS: "https://a.example" };
      await withInstance(target, { environment }, async ({ url }) => {
        const headers = {
          Origin: "https://a.example",
          "Access-Control-Request-Method": "POST",
          "X-Request-ID": "preflight",
        };
        const response = await send(url, { method: "OPTIONS", path: "/health", headers });
        expectEqual(response.header("x-request-id"), "preflight", "X-Request-ID");
      });
    },
  },
  {
    id: "request-id.on-what-is-no-request",
    level: "hardening",
    sentence: STANDARD.requestIdEverywhere,
    async run({ url }) {
      const response = await provoke(url, "GET / HTTP/1.1\r\nbad header\r\n\r\n");
      expect(response !== undefined, "a malformed header: no answer");
      expectError(response, 400);
      expectUuid(response.header("x-request-id"), "X-Request-ID");
      expectEqual(
        response.header("x-correlation-id"),
        response.header("x-request-id"),
        "X-Correlation-ID",
      );
    },
  },
  {
    id: "request-id.never-shared",
    sentence: STANDARD.requestIdEverywhere,
    async run(target) {
      // Requests that overlap in one process must not see each other's ids.
      const ids = Array.from({ length: 50 }, freshId);
      const answers = await Promise.all(
        ids.map((id) => send(target.url, { path: unknownPath(), headers: { "X-Request-ID": id } })),
      );
      for (const [index, response] of answers.entries()) {
        expectError(response, 404);
        expectEqual(response.header("x-request-id"), ids[index], "X-Request-ID");
      }
    },
  },
  {
    id: "correlation-id.kept",
    sentence: STANDARD.correlationId,
    async run({ url }) {
      for (const id of Object.values(SANE)) {
        const response = await ask(url, [["X-Correlation-ID", id]]);
        expectEqual(response.header("x-correlation-id"), id, "X-Correlation-ID");
        expectUuid(response.header("x-request-id"), "X-Request-ID");
      }
    },
  },
  {
    id: "correlation-id.beside-the-request-id",
    sentence: STANDARD.correlationId,
    async run({ url }) {
      const response = await ask(url, [
        ["X-Request-ID", "request"],
        ["X-Correlation-ID", "correlation"],
      ]);
      expectEqual(response.header("x-request-id"), "request", "X-Request-ID");
      expectEqual(response.header("x-correlation-id"), "correlation", "X-Correlation-ID");
    },
  },
  {
    id: "correlation-id.falls-back",
    sentence: STANDARD.correlationId,
    async run({ url }) {
      const given = await ask(url, [["X-Request-ID", "request"]]);
      expectEqual(given.header("x-correlation-id"), "request", "X-Correlation-ID");
      const made = await ask(url, []);
      expectEqual(
        made.header("x-correlation-id"),
        made.header("x-request-id"),
        "X-Correlation-ID of a request without ids",
      );
    },
  },
  {
    id: "correlation-id.replaced",
    sentence: STANDARD.correlationId,
    async run({ url }) {
      for (const id of Object.values(INSANE)) {
        const response = await ask(url, [
          ["X-Request-ID", "request"],
          ["X-Correlation-ID", id],
        ]);
        expectEqual(response.header("x-correlation-id"), "request", `for ${show(String(id))}`);
      }
    },
  },
  {
    id: "correlation-id.on-every-status",
    sentence: STANDARD.correlationId,
    async run(target) {
      for (const [status, answer] of await answersOfEveryStatus(target)) {
        const id = freshId();
        const response = await answer({ "X-Correlation-ID": id });
        expectEqual(response.header("x-correlation-id"), id, `X-Correlation-ID of ${status}`);
      }
    },
  },
];

function ask(url: string, headers: HeaderList): Promise<WireResponse> {
  return send(url, { path: "/health", headers });
}

function expectNoLineEnds(response: WireResponse): void {
  expectUuid(response.header("x-request-id"), "X-Request-ID");
  expectNowhere([response], "Set-Cookie");
}

type Ask = (headers: Record<string, string>) => Promise<WireResponse>;

/** For each status that a caller can provoke, how. */
async function answersOfEveryStatus(target: Target): Promise<[number, Ask][]> {
  const { url } = target;
  const valid = JSON.stringify(validBody(target));
  const json = { "Content-Type": "application/json" };
  return [
    [200, (headers) => send(url, { path: "/health", headers })],
    [200, (headers) => postText(target, valid, { ...json, ...headers })],
    [400, (headers) => postText(target, "{", { ...json, ...headers })],
    [400, (headers) => postText(target, "{}", { ...json, ...headers })],
    [404, (headers) => send(url, { path: unknownPath(), headers })],
    [405, (headers) => send(url, { method: "DELETE", path: "/health", headers })],
    [413, (headers) => postText(target, "1".repeat(4_000_000), { ...json, ...headers })],
    [415, (headers) => postText(target, "a", { "Content-Type": "text/plain", ...headers })],
  ];
}
