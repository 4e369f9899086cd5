import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The tests of the cluster start real processes.
    testTimeout: 60_000,
  },
});
