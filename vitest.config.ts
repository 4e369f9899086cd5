import { defineConfig } from "vitest/config";

// No test may fail because the machine is slow, so the limit is far from anything real.
const limits = { testTimeout: 600_000, hookTimeout: 600_000 };

export default defineConfig({
  test: {
    // Vitest itself would leave one processor idle.
    maxWorkers: "100%",
    projects: [
      {
        test: {
          ...limits,
          name: "fast",
          include: ["test/{unit,render,snapshots,interactive}/**/*.test.ts"],
        },
      },
      {
        test: {
          ...limits,
          name: "generated",
          include: ["test/generated/**/*.test.ts"],
          // They share one install of the services' packages, which the first one makes.
          fileParallelism: false,
          // Of the tests that say they can run at the same time; each keeps a whole core busy.
          maxConcurrency: 2,
        },
      },
      {
        test: {
          ...limits,
          name: "crash",
          include: ["test/crash/**/*.test.ts"],
          // Each builds the bundle first.
          fileParallelism: false,
        },
      },
      { test: { ...limits, name: "container", include: ["test/container/**/*.test.ts"] } },
      {
        test: {
          ...limits,
          name: "drills",
          include: ["test/drills/**/*.test.ts"],
          // Drills measure and stop whole process groups; two at once would disturb each other.
          fileParallelism: false,
        },
      },
      {
        test: {
          ...limits,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: "test/e2e/setup.ts",
          // Brokers and services are killed and measured.
          fileParallelism: false,
          // Tests that wait run beside each other, but two processors cannot start many services at once.
          maxConcurrency: 4,
        },
      },
    ],
  },
});
