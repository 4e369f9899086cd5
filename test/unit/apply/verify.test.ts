import { describe, expect, it } from "vitest";

import { FakeCommands, FakeNetwork, runFake } from "../../support/fake-host.ts";

const flags = ["my-service", "--yes", "--verify"];

describe("--verify", () => {
  it("builds, boots on free ports, probes and stops the service", async () => {
    const network = new FakeNetwork();
    const { code, out, commands } = await runFake(flags, { network: async () => network });
    expect(code).toBe(0);
    expect(commands.calls).toContain("npm run build");
    expect(network.requests).toEqual([
      "GET :20000/health/ready",
      "GET :20000/health",
      "GET :20000/health/ready",
      "GET :20001/metrics",
      "GET :20000/api/v1/receipts/rules",
    ]);
    expect(commands.signals[0]).toBe("SIGTERM");
    expect(out).toContain("✓ stop on SIGTERM");
  });

  it("is content with a service that is not ready only because its dependencies are elsewhere", async () => {
    const body = '{"status":"not_ready","checks":{"kafka":"unhealthy","s3":"healthy"}}';
    const network = new FakeNetwork({ "/health/ready": { status: 503, body } });
    const { code, out } = await runFake(flags, { network: async () => network });
    expect(code).toBe(0);
    expect(out).toContain("✓ GET /health/ready (503 without kafka)");
  });

  it("exercises the examples of the integrations, which are in memory", async () => {
    const network = new FakeNetwork({
      "/api/v1/events": { status: 202, body: "{}" },
      "/metrics": { status: 200, body: 'kafka_consumed_records_total{outcome="processed"} 1' },
    });
    const args = [...flags, "--integrations", "kafka"];
    const { code, out } = await runFake(args, { network: async () => network });
    expect(code).toBe(0);
    expect(out).toContain("✓ POST /api/v1/events");
    expect(out).toContain('✓ GET /metrics holds outcome="processed"} 1');
  });

  it("fails when an example does not work", async () => {
    const args = [...flags, "--integrations", "s3"];
    const { code, err } = await runFake(args);
    expect(code).toBe(1);
    expect(err).toContain("PUT /api/v1/images answered 200");
  });

  it.each([
    ["the build fails", { "run build": { exitCode: 2, output: "TS1005" } }, {}, "TS1005"],
    [
      "it does not start",
      { "dist/main.js": { exitCode: 3, output: "PORT is bad" } },
      {
        "/health/ready": undefined,
      },
      "did not start (exit code 3)\n  PORT is bad",
    ],
    ["a route is wrong", {}, { "/metrics": { status: 500, body: "no" } }, "answered 500: no"],
    ["a route is silent", {}, { "/health": undefined }, "GET /health gave no answer"],
  ])("fails when %s, and keeps the tree", async (_, scripts, answers, message) => {
    const { code, err, disk, commands } = await runFake(flags, {
      commands: new FakeCommands(scripts),
      network: async () => new FakeNetwork(answers),
    });
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(err).toContain("my-service stays");
    expect(disk.everything()).toContain("/home/my-service/package.json");
    expect(commands.signals).not.toContain("SIGTERM");
  });

  it("prints its checks as data", async () => {
    const { out } = await runFake([...flags, "--json"]);
    expect(JSON.parse(out).verified.checks[0]).toEqual({ name: "build", milliseconds: 0 });
  });
});
