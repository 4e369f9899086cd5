import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // One of them starts real processes.
    testTimeout: 60_000,
    coverage: {
      include: ["src/**/*.ts"],
      // The platform is tested where it is made; main.ts and the cluster run in processes of their own.
      exclude: ["src/platform/**", "src/main.ts", "src/cluster.config.ts", "src/commands/**"],
    },
  },
});
