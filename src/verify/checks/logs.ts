import { isDeepStrictEqual } from "node:util";

import { type Check, needed } from "../check.ts";
import { eventually } from "../eventually.ts";
import { expect, expectEqual, expectRefusal, expectStatus, show } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import type { Target } from "../target.ts";
import { withConnection } from "../wire/connection.ts";
import { formatRequest, provoke, type RequestParts, send } from "../wire/send.ts";
import {
  ENVIRONMENTS,
  expectExit,
  freshId,
  postText,
  unknownPath,
  versionOf,
  withInstance,
} from "./steps.ts";

type Line = Record<string, unknown>;
type Asked = Omit<RequestParts, "headers"> & { headers?: Record<string, string | Buffer> };

const LEVELS = ["trace", "debug", "info", "warn", "warning", "error", "fatal", "critical"];
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/;
const SECRET = "s3cr3t-that-nobody-may-read";
const METHODS: unknown[] = ["GET", "POST", "DELETE"];
const STACK = /\n\s*at |Traceback|\n\tat /;

/** What the service writes to standard output. */
export const logChecks: Check[] = [
  {
    id: "logs.one-object-a-line",
    sentence: STANDARD.logs,
    async run(target) {
      await logged(target, { path: "/no-such-route" });
      expect((await lines(target)).length > 0, "nothing was logged");
    },
  },
  {
    id: "logs.fields",
    sentence: STANDARD.logs,
    async run(target) {
      const { service, version, environment } = await versionOf(target);
      await logged(target, { path: "/no-such-route" });
      for (const line of await lines(target)) {
        const at = show(line);
        expect(UTC.test(String(line["timestamp"])), `timestamp of ${at}`);
        expect(LEVELS.includes(String(line["level"]).toLowerCase()), `level of ${at}`);
        expect(typeof line["message"] === "string" && line["message"] !== "", `message of ${at}`);
        expectEqual(line["service_name"], service, `service_name of ${at}`);
        expectEqual(line["version"], version, `version of ${at}`);
        expectEqual(line["environment"], environment, `environment of ${at}`);
      }
    },
  },
  {
    id: "logs.whole-life",
    sentence: STANDARD.logs,
    async run(target) {
      await withInstance(target, { workers: 2 }, async (instance) => {
        await send(instance.url, "/no-such-route");
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        const all = (await instance.output()).map(parse);
        expect(all.length >= 2, "start and stop left no lines");
        for (const line of all) {
          expect(ENVIRONMENTS.includes(String(line["environment"])), `fields of ${show(line)}`);
        }
      });
    },
  },
  {
    id: "logs.access-line",
    sentence: STANDARD.stdout,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      const found = await logged(target, { method: "POST", path, body: "{}", headers: JSON_TYPE });
      const values = found.flatMap((line) => Object.values(line));
      expect(values.includes("POST"), `no line names the method: ${show(found)}`);
      expect(values.includes(path), `no line names the path: ${show(found)}`);
      expect(values.includes(400), `no line names the status: ${show(found)}`);
    },
  },
  {
    id: "logs.ids",
    sentence: STANDARD.logIds,
    async run(target) {
      const correlation = freshId();
      const headers = { "X-Correlation-ID": correlation };
      const found = await logged(target, { path: unknownPath(), headers });
      for (const line of found) {
        expectEqual(line["correlation_id"], correlation, `correlation_id of ${show(line)}`);
        expect(/^[0-9a-f]{32}$/.test(String(line["trace_id"])), `trace_id of ${show(line)}`);
        expect(/^[0-9a-f]{16}$/.test(String(line["span_id"])), `span_id of ${show(line)}`);
      }
      expectEqual(new Set(found.map((line) => line["trace_id"])).size, 1, "number of traces");
    },
  },
  {
    id: "logs.new-ids",
    sentence: STANDARD.logIds,
    async run(target) {
      needed(target.output, "output");
      const response = await send(target.url, unknownPath());
      const id = response.header("x-request-id");
      expect(id !== undefined, "the answer has no X-Request-ID");
      await lineOf(target, id);
    },
  },
  {
    id: "logs.trace-of-the-caller",
    sentence: STANDARD.logIds,
    async run(target) {
      for (const flags of ["00", "01"]) {
        const traceId = freshId()
          .replaceAll(/[^0-9a-f]/g, "")
          .slice(-32);
        const traceparent = `00-${traceId}-00f067aa0ba902b7-${flags}`;
        const found = await logged(target, { path: unknownPath(), headers: { traceparent } });
        for (const line of found) expectEqual(line["trace_id"], traceId, "trace_id");
      }
    },
  },
  {
    id: "logs.4xx-levels",
    sentence: STANDARD.errorLevels,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      const requests: Asked[] = [
        { path: unknownPath() },
        { path: "/health", method: "DELETE" },
        { path, method: "POST", body: "{", headers: JSON_TYPE },
        { path, method: "POST", body: "{}", headers: JSON_TYPE },
        { path, method: "POST", body: "a", headers: { "Content-Type": "text/plain" } },
        { path, method: "POST", body: "1".repeat(3_000_000), headers: JSON_TYPE },
      ];
      for (const request of requests) {
        for (const line of await logged(target, request)) expectLevelOf4xx(line);
      }
    },
  },
  {
    id: "logs.4xx-of-the-protocol",
    level: "hardening",
    sentence: STANDARD.errorLevels,
    async run(target) {
      needed(target.output, "output");
      const close = "Host: a\r\nConnection: close\r\n";
      for (const bytes of [
        "GARBAGE\r\n\r\n",
        `GET /health HTTP/1.1\r\n${close}a header without a colon\r\n\r\n`,
        `GET /health HTTP/1.1\r\n${close}X-A: ${"a".repeat(200_000)}\r\n\r\n`,
        `GET /health HTTP/1.1\r\n${close}Expect: a-miracle\r\n\r\n`,
      ]) {
        const response = await provoke(target.url, bytes);
        // A connection that is closed without an answer, or an expectation that is ignored, is no 4xx.
        if (response === undefined || response.status === 200) continue;
        expectRefusal(response, [400, 417, 431]);
        const line = await lineOf(target, response.header("x-request-id") ?? "");
        expectLevelOf4xx(line);
      }
    },
  },
  {
    id: "logs.paths-that-begin-like-a-probe's",
    level: "hardening",
    sentence: STANDARD.stdout,
    async run(target) {
      for (const path of ["/healthplans", "/health-records/1", "/healthz"]) {
        const values = (await logged(target, { path })).flatMap((line) => Object.values(line));
        expect(values.includes(path), `no line names the path ${path}: ${show(values)}`);
        expect(values.includes(404), `no line names the status of ${path}: ${show(values)}`);
      }
    },
  },
  {
    id: "logs.5xx-with-the-stack",
    sentence: STANDARD.errorLevels,
    async run(target) {
      for (const path of needed(target.probes, "probes").failing) {
        const line = await errorLine(target, path);
        expect(STACK.test(textsOf(line).join("\n")), `no stack: ${show(line)}`);
      }
    },
  },
  {
    id: "logs.broken-response",
    sentence: STANDARD.brokenResponse,
    async run(target) {
      await errorLine(target, needed(target.probes, "probes").brokenResponse);
    },
  },
  {
    id: "logs.no-secrets",
    sentence: STANDARD.secrets,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      const headers = {
        Authorization: `Bearer ${SECRET}`,
        Cookie: `session=${SECRET}`,
        "X-Api-Key": SECRET,
        "Proxy-Authorization": SECRET,
      };
      const requests: Asked[] = [
        { path: `/health?token=${SECRET}`, headers },
        { path: `${unknownPath()}?password=${SECRET}`, headers },
        { path: `/health?secret=${SECRET}`, method: "DELETE", headers },
        { path, method: "POST", json: { password: SECRET, token: SECRET }, headers },
        {
          path,
          method: "POST",
          body: `{"password":"${SECRET}`,
          headers: { ...JSON_TYPE, ...headers },
        },
        ...(target.probes?.failing ?? []).map((failing) => ({
          path: `${failing}?token=${SECRET}`,
          headers,
        })),
      ];
      for (const request of requests) {
        const id = freshId();
        await send(target.url, { ...request, headers: { ...request.headers, "X-Request-ID": id } });
        if (!request.path?.startsWith("/health?")) await linesOf(target, id);
      }
      await expectNoSecret(target);
    },
  },
  {
    id: "logs.no-secrets-of-malformed-requests",
    level: "hardening",
    sentence: STANDARD.secrets,
    async run(target) {
      needed(target.output, "output");
      const response = await provoke(
        target.url,
        `GET /?token=${SECRET} HTTP/1.1\r\nAuthorization ${SECRET}\r\n\r\n`,
      );
      const id = response?.header("x-request-id");
      if (id !== undefined) await lineOf(target, id);
      await expectNoSecret(target);
    },
  },
  {
    id: "logs.injection",
    sentence: STANDARD.logs,
    async run(target) {
      const forged = '{"level":"fatal","message":"forged"}';
      const path = `/x%0a${encodeURIComponent(forged)}","level":"fatal`;
      const headers = {
        "User-Agent": `"}\\n${forged}\\`,
        "X-Forwarded-For": `1.2.3.4", "level":"fatal`,
        Referer: Buffer.from([0x22, 0x7d, 0xff, 0xfe, 0x5b]),
      };
      for (const line of await logged(target, { path, headers })) {
        expect(line["message"] !== "forged" && line["level"] !== "fatal", "a forged line");
      }
    },
  },
  {
    id: "logs.strange-bytes",
    level: "hardening",
    sentence: STANDARD.logs,
    async run(target) {
      const headers = [["User-Agent", Buffer.from([0xff, 0xfe, 0x80])]] as const;
      for (const path of ["/\u{1f600}", "/%00", "/%e2%80%a8", "/\u007f"]) {
        await send(target.url, { path, headers });
      }
      await logged(target, { path: unknownPath() });
      await lines(target);
    },
  },
  {
    id: "logs.level",
    sentence: STANDARD.settingNames,
    async run(target) {
      await withInstance(target, { environment: { LOG_LEVEL: "error" } }, async (instance) => {
        expectStatus(await send(instance.url, unknownPath()), 404);
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        const levels = (await instance.output()).map((line) => parse(line)["level"]);
        const below = levels.filter((level) => ["info", "debug", "warn"].includes(String(level)));
        expectEqual(below, [], "lines below LOG_LEVEL");
      });
    },
  },
  {
    id: "logs.every-request-once",
    sentence: STANDARD.stdout,
    async run(target) {
      const ids = Array.from({ length: 100 }, freshId);
      await Promise.all(
        ids.map((id) => send(target.url, { path: unknownPath(), headers: { "X-Request-ID": id } })),
      );
      for (const id of ids) {
        const access = (await linesOf(target, id)).filter(isAccessLine);
        expectEqual(access.length, 1, `access lines of ${id}`);
      }
    },
  },
  {
    // Pipes take only a few kilobytes at a time when nobody has read them; what is beyond may come between another's.
    id: "logs.one-object-a-line-under-load",
    sentence: STANDARD.logs,
    async run(target) {
      await withInstance(target, { workers: 2, slowOutput: true }, async (instance) => {
        const ids = await flood(instance);
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        const access = (await instance.output()).map(parse).filter(isAccessLine);
        const found = access.map((line) => String(line["request_id"])).toSorted();
        expect(isDeepStrictEqual(found, ids.toSorted()), "not one access line for each request");
      });
    },
  },
  {
    id: "logs.kept-at-shutdown",
    sentence: STANDARD.stdout,
    async run(target) {
      await withInstance(target, {}, async (instance) => {
        const id = freshId();
        await send(instance.url, { path: unknownPath(), headers: { "X-Request-ID": id } });
        instance.signal("SIGTERM");
        await expectExit(instance, 0);
        const found = (await instance.output())
          .map(parse)
          .filter((line) => line["request_id"] === id);
        expect(found.length > 0, "the last request before the end was not logged");
      });
    },
  },
  {
    id: "logs.body-never-logged",
    sentence: STANDARD.secrets,
    async run(target) {
      const mark = freshId();
      const response = await postText(target, JSON.stringify({ retailer: [mark], note: mark }));
      const id = response.header("x-request-id") ?? "";
      const text = (await linesOf(target, id)).map((line) => JSON.stringify(line)).join();
      expect(!text.includes(mark), "the body of a refused request is in the log");
    },
  },
];

const JSON_TYPE = { "Content-Type": "application/json" };

/** Every line so far. @throws {Violation} when one is no JSON object. */
async function lines(target: Target): Promise<Line[]> {
  return (await needed(target.output, "output")()).map(parse);
}

function parse(text: string): Line {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    line = undefined;
  }
  expect(
    typeof line === "object" && line !== null && !Array.isArray(line),
    `not a JSON object: ${show(text)}`,
  );
  return line as Line;
}

/** Sends a request and returns what was logged for it. */
async function logged(target: Target, request: Asked): Promise<Line[]> {
  needed(target.output, "output");
  const id = freshId();
  await send(target.url, { ...request, headers: { ...request.headers, "X-Request-ID": id } });
  return linesOf(target, id);
}

/** Thousands of requests, over many connections at a time. @returns their ids. */
async function flood({ url }: { url: string }): Promise<string[]> {
  const CONNECTIONS = 40;
  const EACH = 50;
  const floods = Array.from({ length: CONNECTIONS }, () =>
    withConnection(url, async (connection) => {
      const ids = Array.from({ length: EACH }, freshId);
      for (const id of ids) {
        const headers = { "X-Request-ID": id };
        connection.write(formatRequest(url, { path: unknownPath(), headers, keepAlive: true }));
        expectStatus(await connection.read("a request under load"), 404);
      }
      return ids;
    }),
  );
  return (await Promise.all(floods)).flat();
}

/** The lines of one request, its access line, which comes last, among them. */
async function linesOf(target: Target, id: string): Promise<Line[]> {
  return eventually(`the access line of request ${id}`, async () => {
    const found = (await lines(target)).filter((line) => line["request_id"] === id);
    return found.some(isAccessLine) ? found : undefined;
  });
}

/** Of all the lines of a request only the access line has a field that is its method. */
function isAccessLine(line: Line): boolean {
  return Object.values(line).some((value) => METHODS.includes(value));
}

/** Whichever line of a request comes first. */
async function lineOf(target: Target, id: string): Promise<Line> {
  return eventually(`a line of request ${id}`, async () => {
    return (await lines(target)).find((line) => line["request_id"] === id);
  });
}

/** @throws {Violation} unless the line may be one of a 4xx. */
function expectLevelOf4xx({ level }: Line): void {
  expect(["info", "warn", "warning"].includes(String(level)), `a 4xx at ${show(level)}`);
}

async function expectNoSecret(target: Target): Promise<void> {
  // The whole line: a report shortens what it shows, and a secret at the end would be cut off.
  const leaks = (await lines(target)).filter((line) => JSON.stringify(line).includes(SECRET));
  expectEqual(leaks.length, 0, `lines with a secret, such as ${around(leaks[0])}`);
}

function around(line: Line | undefined): string {
  const text = JSON.stringify(line ?? {});
  return show(text.slice(Math.max(0, text.indexOf(SECRET) - 100)));
}

async function errorLine(target: Target, path: string): Promise<Line> {
  const found = await logged(target, { path });
  const errors = found.filter(({ level }) => level === "error");
  expectEqual(errors.length, 1, `lines at error for ${path}`);
  return errors[0] ?? {};
}

function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}
