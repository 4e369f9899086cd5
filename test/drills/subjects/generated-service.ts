import { execFile } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import type { Subject } from "../subject.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");

/** Lets the CLI write a service, adds the drills' routes to it, and builds it as for production. */
export async function generatedService(folder: string, framework: string): Promise<Subject> {
  const service = join(folder, `drilled-${framework}`);
  await run(
    process.execPath,
    [
      join(root, "bin/create-fetch-service.js"),
      ...["drilled-service", "--framework", framework, "--directory", service, "--yes", "--no-git"],
    ],
    { cwd: folder },
  );
  copyFileSync(join(import.meta.dirname, "drill-routes.ts"), join(service, "src/routes/drill.ts"));
  const app = join(service, "src/app.ts");
  const source = readFileSync(app, "utf8").replace(
    "registerRoutes(app, [",
    "registerRoutes(app, [...drillRoutes, ",
  );
  writeFileSync(app, `import { drillRoutes } from "./routes/drill.ts";\n${source}`);
  await run("npm", ["run", "build"], { cwd: service });

  // The part that only workers load: the release is broken, the primary that is to survive it is not.
  const built = readdirSync(join(service, "dist"))
    .filter((name) => name.endsWith(".js"))
    .map((name) => join(service, "dist", name))
    .find((path) => readFileSync(path, "utf8").includes("function createApp("));
  if (built === undefined) throw new Error("no file of the build has the app");
  const good = readFileSync(built, "utf8");
  return {
    name: framework === "fastify" ? "this service" : `this service on ${framework}`,
    folder: service,
    command: ({ port, metricsPort }, options) => ({
      file: process.execPath,
      args: ["dist/main.js"],
      env: {
        ENVIRONMENT: "prod",
        PORT: `${port}`,
        METRICS_PORT: `${metricsPort}`,
        BIND: "127.0.0.1",
        DRILL_FOLDER: service,
        WEB_CONCURRENCY: `${options.workers}`,
        TIMEOUT: `${options.timeout}`,
        MAX_REQUESTS: `${options.maxRequests ?? 0}`,
        MAX_REQUESTS_JITTER: `${options.maxRequestsJitter ?? 0}`,
      },
    }),
    breakBuild: () => writeFileSync(built, 'throw new Error("a broken release");\n'),
    mendBuild: () => writeFileSync(built, good),
    isReady: (log) => log.includes('"message":"service ready"'),
    explainsHang: (line) => /"stack":\["[^\]]+"\],"request_ids":\["/.test(line),
  };
}
