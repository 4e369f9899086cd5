import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/contract/**/*.test.ts"],
    // The suite ends its own waiting; no test may fail because the machine is slow.
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    // Instances of the service are counted, killed and measured.
    fileParallelism: false,
    // Services in Python take a whole processor when they start.
    maxConcurrency: 3,
  },
});
