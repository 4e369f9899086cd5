import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import http, { type RequestListener } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { endLoad, load } from "../../../bench/service/load.ts";
import { atLeast, atMost, medianOf, worst } from "../../../bench/service/report.ts";
import { freePorts, missingTools, TOOLS } from "../../../bench/service/tools.ts";

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

const EXPECTED = '{"points":109}';
const CONTRACT = {
  "Access-Control-Allow-Origin": "https://shop.example",
  "X-Request-ID": "3f1c7c52-6f5e-4b5b-9d43-1f0a5c9a8f11",
};

/** Sends the load to `listener` for a moment. @returns what came of it, and how many requests were seen. */
async function loadOn(listener: RequestListener, wholeContract: boolean) {
  const server = http.createServer(listener).listen(0, "127.0.0.1");
  let seen = 0;
  server.on("request", () => (seen += 1));
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const folder = mkdtempSync(join(tmpdir(), "load-"));
  const [body, expected] = [join(folder, "body.json"), join(folder, "expected.json")];
  writeFileSync(body, "{}");
  writeFileSync(expected, EXPECTED);
  try {
    const result = await load(
      port,
      { name: "POST", path: "/", body, expected },
      0.1,
      wholeContract,
    );
    return { ...result, seen };
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

describe("the load of the benchmark", () => {
  afterAll(endLoad);

  it("counts every request that it sent, also where the answer comes in pieces", async () => {
    const { requests, seen, p99Ms } = await loadOn((_req, res) => {
      res.writeHead(200, { "Content-Length": EXPECTED.length });
      res.write(EXPECTED.slice(0, 5));
      setImmediate(() => res.end(EXPECTED.slice(5)));
    }, false);
    expect(requests).toBe(seen);
    expect(requests).toBeGreaterThanOrEqual(32);
    expect(p99Ms).toBeGreaterThan(0);
  });

  it.each([
    ["of another status", 201, CONTRACT, EXPECTED],
    ["with another body", 200, CONTRACT, EXPECTED.replace("9", "8")],
    ["without the headers of the contract", 200, {}, EXPECTED],
  ])("stops at an answer %s", async (_name, status, headers, body) => {
    const sending = loadOn((_req, res) => res.writeHead(status, headers).end(body), true);
    await expect(sending).rejects.toThrow(`HTTP/1.1 ${status}`);
  });

  it("stops when a connection breaks", async () => {
    await expect(loadOn((req) => req.socket.destroy(), false)).rejects.toThrow(/closed|ECONNRESET/);
  });

  it("takes an answer with all that the contract asks for", async () => {
    const { requests } = await loadOn(
      (_req, res) => res.setHeaders(new Headers(CONTRACT)).end(EXPECTED),
      true,
    );
    expect(requests).toBeGreaterThanOrEqual(32);
  });
});

describe("the benchmark of a service", () => {
  it("names each missing tool in one line", () => {
    const lines = missingTools("/nowhere", "linux");
    expect(lines.map((line) => line.split(" ", 1)[0])).toEqual(Object.keys(TOOLS));
    expect(missingTools("/nowhere", "darwin")).toHaveLength(lines.length + 1);
  });

  it("takes no port that somebody listens on", async () => {
    const [taken] = await freePorts(1);
    const server = createServer().listen(taken, "127.0.0.1");
    await once(server, "listening");
    expect(await freePorts(3)).not.toContain(taken);
    server.close();
  });

  it("knows between which bounds the true median lies", () => {
    // Tables of the sign test: 95 % are the 6th to the 15th of twenty, and all of six.
    expect(medianOf(upTo(20))).toEqual({ low: 6, middle: 10.5, high: 15 });
    expect(medianOf(upTo(6))).toEqual({ low: 1, middle: 3.5, high: 6 });
    expect(medianOf([3, 1, 2])).toEqual({ low: -Infinity, middle: 2, high: Infinity });
  });

  it("only decides what is certain", () => {
    const median = { low: 0.48, middle: 0.5, high: 0.52 };
    expect([0.47, 0.5, 0.53].map((limit) => atLeast(limit, median))).toEqual([
      "ok",
      "undecided",
      "MISSED",
    ]);
    expect([0.47, 0.5, 0.53].map((limit) => atMost(limit, median))).toEqual([
      "MISSED",
      "undecided",
      "ok",
    ]);
    expect(worst(["ok", "undecided", "ok"])).toBe("undecided");
    expect(worst(["undecided", "MISSED"])).toBe("MISSED");
    expect(worst([])).toBe("ok");
  });
});
