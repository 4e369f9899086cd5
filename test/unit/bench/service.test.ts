import { once } from "node:events";
import { createServer } from "node:net";

import { describe, expect, it } from "vitest";

import { noiseOf, NOISE_LIMIT, type Sample } from "../../../bench/service/report.ts";
import { freePorts, missingTools, TOOLS } from "../../../bench/service/tools.ts";

const samples = (values: number[], bare?: string): Sample[] =>
  values.map((value) => ({ column: bare ?? "bare", bare, kind: "GET", value }));

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

  it("refuses a verdict when bare servers differ from round to round", () => {
    expect(noiseOf(samples([100, 101, 99, 100, 250]))).toBeLessThan(NOISE_LIMIT);
    expect(noiseOf(samples([100, 140, 80, 60, 120]))).toBeGreaterThan(NOISE_LIMIT);
    // A service may have pauses of its own.
    expect(noiseOf(samples([1, 9, 3, 5, 7], "service"))).toBe(0);
  });
});
