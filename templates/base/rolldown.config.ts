import { globSync } from "node:fs";
import { basename } from "node:path";
import { defineConfig } from "rolldown";

/**
 * The build: this service and its packages in a dozen files, because a process that opens a thousand needs twice as
 * long to start. The command line tools under src/commands are entries of their own. A package that cannot be bundled,
 * such as one with native code, goes into `external`: the image holds node_modules as well.
 */
export default defineConfig({
  input: {
    main: "src/main.ts",
    "cluster.config": "src/cluster.config.ts",
    ...Object.fromEntries(
      globSync("src/commands/*.ts").map((path) => [basename(path, ".ts"), path]),
    ),
  },
  external: [],
  platform: "node",
  output: { dir: "dist", cleanDir: true, sourcemap: true },
});
