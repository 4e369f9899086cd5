import { describe, expect, test } from "vitest";
import { type ReadinessCheck, healthRoutes, startReadiness } from "../../src/platform/health.ts";
import { createLogger } from "../../src/platform/logging.ts";
import manifest from "../../package.json" with { type: "json" };
import { integrations } from "../../src/integrations/index.ts";
import { loadSettings } from "../../src/settings.ts";
import { createTestApp } from "../support.ts";

const settings = loadSettings({});
const lines: Record<string, unknown>[] = [];
const log = createLogger(settings, { write: (line) => void lines.push(JSON.parse(line)) });

test("GET /health", async () => {
  await using app = await createTestApp();
  const response = await app.inject({ method: "GET", url: "/health" });
  expect([response.statusCode, response.json()]).toEqual([
    200,
    { status: "healthy", version: manifest.version },
  ]);
});

test("GET /health/version", async () => {
  await using app = await createTestApp({ env: { SERVICE_NAME: "svc", ENVIRONMENT: "stage" } });
  const response = await app.inject({ method: "GET", url: "/health/version" });
  expect(response.json()).toEqual({
    service: "svc",
    version: manifest.version,
    environment: "stage",
  });
});

describe("GET /health/ready", () => {
  const check = (name: string, critical: boolean, fails = false): ReadinessCheck => ({
    name,
    critical,
    check: async () => {
      if (fails) throw new Error(`${name} is down`);
    },
  });

  async function answer(checks: ReadinessCheck[], then?: "draining" | "starting") {
    using readiness = await startReadiness(checks, log);
    if (then !== "starting") readiness.markReady();
    if (then === "draining") readiness.markDraining();
    await using app = await createTestApp({ routes: [] });
    const ready = healthRoutes(settings, readiness).find(({ path }) => path === "/health/ready")!;
    return ready.handler({ log: app.logs } as never);
  }

  test("is 200 when every dependency works", async () => {
    expect(await answer([check("kafka", true), check("s3", false)])).toMatchObject({
      status: 200,
      body: { status: "ready", checks: { kafka: "healthy", s3: "healthy" } },
    });
  });

  test("is 503 and names the critical dependency that fails", async () => {
    expect(await answer([check("kafka", true, true), check("s3", false)])).toMatchObject({
      status: 503,
      body: { status: "not_ready", checks: { kafka: "unhealthy", s3: "healthy" } },
    });
    expect(lines.at(-1)).toMatchObject({
      level: "error",
      dependency: "kafka",
      message: "dependency kafka is unhealthy",
    });
  });

  test("is 503 when a check throws before it waits for anything", async () => {
    const broken = (): never => {
      throw new Error("not connected");
    };
    expect(await answer([{ name: "kafka", critical: true, check: broken }])).toMatchObject({
      status: 503,
      body: { status: "not_ready", checks: { kafka: "unhealthy" } },
    });
  });

  test("stays 200 when an optional dependency fails", async () => {
    expect(await answer([check("kafka", true), check("s3", false, true)])).toMatchObject({
      status: 200,
      body: { status: "ready", checks: { kafka: "healthy", s3: "unhealthy" } },
    });
  });

  test.each(["starting", "draining"] as const)("is 503 while %s", async (state) => {
    expect(await answer([check("kafka", true)], state)).toMatchObject({
      status: 503,
      body: { status: "not_ready", checks: { kafka: "healthy" } },
    });
  });

  test("is served, and names the service's integrations", async () => {
    await using app = await createTestApp();
    const response = await app.inject({ method: "GET", url: "/health/ready" });
    const checks = Object.fromEntries(Object.keys(integrations).map((name) => [name, "healthy"]));
    expect([response.statusCode, response.json()]).toEqual([200, { status: "ready", checks }]);
  });
});
