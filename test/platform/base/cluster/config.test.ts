import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import options from "../../src/cluster.config.ts";
import { type ClusterOptions, readConfig, variableOf } from "../../src/platform/cluster/config.ts";

describe("readConfig", () => {
  it("accepts the file of this service", () => {
    expect(readConfig(options, {}).problems).toEqual([]);
  });

  it("lays the environment over the file", () => {
    const { config, problems } = readConfig(options, {
      WEB_CONCURRENCY: "3",
      TIMEOUT: "0.5",
      BIND: "::1",
      PIDFILE: "/run/service.pid",
      KEEP_ALIVE: "auto",
    });
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      workers: 3,
      timeout: 0.5,
      bind: "::1",
      pidfile: "/run/service.pid",
      keepAlive: "auto",
    });
  });

  it("takes a file of an older template, which lacks newer fields", () => {
    const { metricsBind, headersTimeout, requestTimeout, stallTimeout, maxConnections, ...old } =
      options;
    const { config, problems } = readConfig(old, { MAX_CONNECTIONS: "7" });
    expect(problems).toEqual([]);
    expect(config).toMatchObject({ metricsBind, headersTimeout, requestTimeout, stallTimeout });
    expect([config.maxConnections, maxConnections]).toEqual([7, 4_096]);
  });

  it("takes an empty variable as not set", () => {
    expect(readConfig(options, { TIMEOUT: "", BIND: "" }).config).toMatchObject({
      timeout: options.timeout,
      bind: options.bind,
    });
  });

  it.each([
    ["WEB_CONCURRENCY", "0"],
    ["WEB_CONCURRENCY", "1.5"],
    ["WEB_CONCURRENCY", "auto "],
    ["TIMEOUT", "NaN"],
    ["TIMEOUT", "1e9"],
    ["GRACEFUL_TIMEOUT", "auto"],
    ["MAX_REQUESTS", " "],
    ["BIND", "example.com"],
    ["METRICS_BIND", "localhost"],
    ["MAX_CONNECTIONS", "0"],
  ])("refuses %s=%j", (variable, value) => {
    const { problems } = readConfig(options, { [variable]: value });
    expect(problems).toEqual([expect.stringContaining(`${variable} (`)]);
  });

  it("is overridden by the variable that the file names beside a field", () => {
    const text = readFileSync(new URL("../../src/cluster.config.ts", import.meta.url), "utf8");
    const fields = Object.keys(options).filter((field) => field !== "hooks");
    for (const field of fields) {
      expect(text).toMatch(new RegExp(`\\b${variableOf(field)}\\s+\\*/\\s+${field}: `));
    }
  });

  it("lists all that is wrong in the file itself", () => {
    const bad: ClusterOptions = { ...options, workers: 0, timeout: -1 };
    expect(readConfig(bad, {}).problems).toHaveLength(2);
  });
});
