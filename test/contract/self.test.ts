import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";

import type { Check, Result } from "../../src/verify/check.ts";
import { errorChecks } from "../../src/verify/checks/errors.ts";
import { healthChecks } from "../../src/verify/checks/health.ts";
import { idChecks } from "../../src/verify/checks/ids.ts";
import { logChecks } from "../../src/verify/checks/logs.ts";
import { processChecks } from "../../src/verify/checks/process.ts";
import { settingsChecks } from "../../src/verify/checks/settings.ts";
import { telemetryChecks } from "../../src/verify/checks/telemetry.ts";
import { errorBody } from "./fake.ts";
import { CHECKS, runContract } from "../../src/verify/run-contract.ts";
import { STANDARD } from "../../src/verify/standard.ts";

test("every check has a name of its own", () => {
  expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
});

test("every sentence is checked", () => {
  const checked = new Set(CHECKS.map(({ sentence }) => sentence));
  expect(Object.values(STANDARD).filter((sentence) => !checked.has(sentence))).toEqual([]);
});

test("every sentence has a check that is a must", () => {
  const musts = CHECKS.filter(({ level }) => level === undefined);
  const checked = new Set(musts.map(({ sentence }) => sentence));
  expect(Object.values(STANDARD).filter((sentence) => !checked.has(sentence))).toEqual([]);
});

test("a failed check says what was sent and what came", async () => {
  const checks = errorChecks.filter(({ id }) => id === "errors.404");
  const [result] = await runAgainst((_req, res) => void res.end("yes"), checks);
  expect(result?.exchange).toEqual({
    sent: expect.stringMatching(/^GET \/ HTTP\/1\.1\r\nHost: /),
    came: expect.stringMatching(/^HTTP\/1\.1 200 OK\r\n[^]*yes/),
  });
});

test("what could take a service down is not tried without leave", async () => {
  const destructive = CHECKS.filter((check) => check.destructive);
  const target = { url: "http://127.0.0.1:9", destructive: false };
  expect(outcomesOf(await runContract(target, destructive))).toEqual(["not checked"]);
});

test("what needs a hook is not checked without it, and never passes", async () => {
  const hooked = [...logChecks, ...settingsChecks, ...processChecks];
  const results = await runAgainst((_req, res) => void res.end("{}"), hooked);
  expect(outcomesOf(results)).toEqual(["not checked"]);
});

test("a service that says yes to everything fails", async () => {
  // All but the one that reads no body.
  const reading = healthChecks.filter(({ id }) => id !== "health.live-time");
  const results = await runAgainst((_req, res) => void res.end("yes"), reading);
  expect(outcomesOf(results)).toEqual(["failed", "not checked"]);
});

test("a service that drops every connection fails", async () => {
  const plain = healthChecks.filter(({ id }) => !/starting|draining/.test(id));
  const results = await runAgainst((req) => void req.socket.destroy(), plain);
  expect(outcomesOf(results)).toEqual(["failed"]);
});

test("a service that echoes any id fails for those that are not sane", async () => {
  const results = await runAgainst((req, res) => {
    const id = req.headers["x-request-id"] ?? "none";
    res.setHeader("X-Request-ID", id).end("{}");
  }, idChecks);
  const outcomes = Object.fromEntries(results.map(({ id, outcome }) => [id, outcome]));
  expect(outcomes["request-id.kept: 128 characters"]).toBe("passed");
  expect(outcomes["request-id.replaced: 129 characters"]).toBe("failed");
  expect(outcomes["request-id.replaced: a space inside"]).toBe("failed");
  expect(outcomes["request-id.new-when-missing"]).toBe("failed");
});

test("an error body that shows a stack fails", async () => {
  const checks = errorChecks.filter(({ id }) => id === "errors.404");
  expect(outcomesOf(await runAgainst(refusing("There is no such thing"), checks))).toEqual([
    "passed",
  ]);
  for (const leak of [
    "x\n    at f (a.js:1:2)",
    "/app/src/main.ts:3",
    "TypeError: x",
    "FST_ERR_X",
  ]) {
    expect(outcomesOf(await runAgainst(refusing(leak), checks)), leak).toEqual(["failed"]);
  }
});

test("a service without telemetry is never said to have it", async () => {
  const results = await runAgainst((_req, res) => void res.end("{}"), telemetryChecks);
  expect(outcomesOf(results)).toEqual(["not checked"]);
});

/** Answers everything with a 404 that says `message`. */
function refusing(message: string): RequestListener {
  return (_req, res) => {
    res.writeHead(404, { "Content-Type": "application/json", "X-Request-ID": "a" });
    res.end(errorBody("NOT_FOUND", message, "a"));
  };
}

async function runAgainst(listener: RequestListener, checks: Check[]): Promise<Result[]> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await runContract(
      { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
      checks,
    );
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

function outcomesOf(results: Result[]): string[] {
  return [...new Set(results.map(({ outcome }) => outcome))].toSorted();
}
