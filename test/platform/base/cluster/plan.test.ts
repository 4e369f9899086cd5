import { describe, expect, it } from "vitest";
import options from "../../src/cluster.config.ts";
import { heapFor, heapSetByHand, workersFor } from "../../src/platform/cluster/host.ts";
import {
  type ClusterPlan,
  findContradictions,
  makePlan,
} from "../../src/platform/cluster/config.ts";
import type { StandardSettings } from "../../src/platform/settings.ts";

const sound = {
  deregistrationDelay: 5,
  gracefulTimeout: 30,
  keepAlive: 65,
  workers: 1,
  background: 1,
  heap: 700,
} as ClusterPlan;
const limits = { STOP_TIMEOUT: 40, LOAD_BALANCER_IDLE_TIMEOUT: 60 } as StandardSettings;

describe("findContradictions", () => {
  it("finds none where everything fits, to the second", () => {
    expect(findContradictions(sound, limits, 2_000)).toEqual([]);
  });

  it.each([
    [{}, { STOP_TIMEOUT: 39 }, /^STOP_TIMEOUT: .* 39 s, .* 40 s/],
    [{ keepAlive: 60 }, {}, /^KEEP_ALIVE: 60 s .* 60 s/],
    [{ workers: 2 }, {}, /^WEB_CONCURRENCY: 3 processes .* 700 MiB .* 2100 MiB, .* 2000 MiB/],
  ])("names both numbers of %j %j", (change, setting, message) => {
    expect(findContradictions({ ...sound, ...change }, { ...limits, ...setting }, 2_000)).toEqual([
      expect.stringMatching(message),
    ]);
  });

  it("has nothing to say on memory that nothing limits", () => {
    expect(findContradictions({ ...sound, workers: 99 }, limits, undefined)).toEqual([]);
  });
});

describe("the defaults", () => {
  it.each([
    [0.25, 1],
    [1, 1],
    [1.5, 1],
    [4, 4],
  ])("give %d CPUs %d workers", (cpus, workers) => {
    expect(workersFor(cpus)).toBe(workers);
  });

  it("divide the memory among the workers' heaps, down to a floor", () => {
    expect(heapFor(2_048, 2)).toBe(716);
    expect(heapFor(2_048, 1)).toBe(1_433);
    expect(heapFor(256, 16)).toBe(96);
    expect(heapFor(undefined, 4)).toBeUndefined();
  });

  it("leave a heap alone that somebody set", () => {
    expect(heapSetByHand(["--max-old-space-size=512"], 2_048)).toBe(512);
    expect(heapSetByHand(["--max_old_space_size=512", "--max-old-space-size=64"], 2_048)).toBe(64);
    expect(heapSetByHand(["--max-old-space-size-percentage=25"], 2_048)).toBe(512);
    expect(heapSetByHand(["--enable-source-maps"], 2_048)).toBeUndefined();
  });
});

describe("makePlan", () => {
  const settings = {
    ENVIRONMENT: "prod",
    SERVICE_NAME: "receipts",
    VERSION: "1.0.0",
    PORT: 8000,
    METRICS_PORT: 8080,
    LOAD_BALANCER_IDLE_TIMEOUT: 90,
    STOP_TIMEOUT: 120,
  } as StandardSettings;

  it("decides everything that the file leaves open", async () => {
    const plan = await makePlan({ ...options, workers: "auto" }, settings, { env: {} });
    expect(plan.workers).toBeGreaterThanOrEqual(1);
    expect(plan).toMatchObject({ keepAlive: 95, processTitle: "receipts" });
  });

  it("keeps idle connections longer than the load balancer, unless told otherwise", async () => {
    const auto = await makePlan({ ...options, keepAlive: "auto" }, settings, { env: {} });
    expect(auto.keepAlive).toBe(95);
    const told = await makePlan({ ...options, keepAlive: 100 }, settings, { env: {} });
    expect(told.keepAlive).toBe(100);
  });

  it("waits for no load balancer in dev, unless told to", async () => {
    const dev = { ...settings, ENVIRONMENT: "dev" } as const;
    expect((await makePlan(options, dev, { env: {} })).deregistrationDelay).toBe(0);
    const told = await makePlan(options, dev, { env: { DEREGISTRATION_DELAY: "2" } });
    expect(told.deregistrationDelay).toBe(2);
  });
});
