import { execa } from "execa";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addProbes } from "../../test/contract/service/build.ts";
import { PROBES_SWITCH } from "../../test/contract/service/probes.ts";
import { ORIGIN } from "./load.ts";
import type { ServerCommand } from "./processes.ts";

/** One server under test. */
export interface Column {
  name: string;
  /** The bare server that it is compared with; a bare one has none. */
  bare?: string;
  /** Set for what does the whole contract, and so has to log, count and trace every request. */
  serviceName?: string;
  /** @param workers how many worker processes; a bare server is one process whatever is asked. */
  command(workers: number): ServerCommand & { metricsUrl?: string };
}

const HERE = import.meta.dirname;
const REPOSITORY = join(HERE, "../..");
export const WORK = join(HERE, ".work");

/** Share of the requests that are traced. */
export const SAMPLED = 0.1;

/** What a column needs to know of the run. */
export interface Surroundings {
  collector: string;
  rulesFile: string;
  nextPort(): number;
}

/** Makes the servers ready to run: services by the CLI, the Python one in an environment of its own. */
export async function prepare(frameworks: string[], run: Surroundings): Promise<Column[]> {
  mkdirSync(WORK, { recursive: true });
  const columns: Column[] = [];
  for (const framework of frameworks) {
    await createService(framework);
    columns.push(bareColumn(framework, run), serviceColumn(framework, run));
  }
  await createVirtualEnvironment();
  columns.push(fastApiColumn(run));
  return columns;
}

const folderOf = (framework: string): string => join(WORK, `bench-${framework}`);

async function createService(framework: string): Promise<void> {
  const folder = folderOf(framework);
  const cli = join(REPOSITORY, "bin/create-fetch-service.js");
  // Written anew so that it is today's templates that are measured; only the packages are kept.
  await execa("rm", ["-rf", `${folder}.new`]);
  await execa(
    "node",
    [
      cli,
      "bench",
      "--framework",
      framework,
      "--directory",
      `${folder}.new`,
      "--yes",
      "--no-install",
      "--no-git",
    ],
    { cwd: WORK },
  );
  if (existsSync(join(folder, "node_modules"))) {
    await execa("mv", [join(folder, "node_modules"), `${folder}.new/node_modules`]);
  }
  await execa("rm", ["-rf", folder]);
  await execa("mv", [`${folder}.new`, folder]);
  // With a route that breaks its own schema, to see that responses are checked.
  await addProbes(folder);
  await execa("npm", ["install", "--no-audit"], { cwd: folder });
  await execa("npm", ["run", "build"], { cwd: folder });
}

async function createVirtualEnvironment(): Promise<void> {
  const python = join(WORK, "venv/bin/python");
  if (!existsSync(python)) await execa("python3", ["-m", "venv", join(WORK, "venv")]);
  await execa(python, [
    "-m",
    "pip",
    "install",
    "--quiet",
    "-r",
    join(HERE, "fastapi/requirements.txt"),
  ]);
}

function bareColumn(framework: string, run: Surroundings): Column {
  return {
    name: `bare ${framework}`,
    command: () => ({
      command: ["node", join(HERE, `servers/bare-${framework}.mjs`)],
      cwd: folderOf(framework),
      env: { BENCH_RULES: run.rulesFile, NODE_ENV: "production" },
      log: join(WORK, `bare-${framework}.log`),
      port: run.nextPort(),
    }),
  };
}

function serviceColumn(framework: string, run: Surroundings): Column {
  return {
    name: `service on ${framework}`,
    bare: `bare ${framework}`,
    serviceName: `bench-${framework}`,
    command(workers) {
      const metricsPort = run.nextPort();
      return {
        command: ["node", "dist/main.js"],
        cwd: folderOf(framework),
        env: {
          ...contractEnvironment(run, `bench-${framework}`),
          METRICS_PORT: String(metricsPort),
          WEB_CONCURRENCY: String(workers),
          NODE_ENV: "production",
        },
        log: join(WORK, `service-${framework}.log`),
        port: run.nextPort(),
        metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
      };
    },
  };
}

function fastApiColumn(run: Surroundings): Column {
  return {
    name: "FastAPI",
    bare: "bare fastify",
    serviceName: "bench-fastapi",
    command(workers) {
      const port = run.nextPort();
      const metricsFolder = join(WORK, "fastapi-metrics");
      rmSync(metricsFolder, { recursive: true, force: true });
      mkdirSync(metricsFolder);
      return {
        command: [
          join(WORK, "venv/bin/gunicorn"),
          ...[
            "app:app",
            "--workers",
            String(workers),
            "--worker-class",
            "uvicorn_worker.UvicornWorker",
          ],
          ...["--bind", `127.0.0.1:${port}`, "--log-level", "warning", "--no-control-socket"],
        ],
        cwd: join(HERE, "fastapi"),
        env: {
          ...contractEnvironment(run, "bench-fastapi"),
          BENCH_RULES: run.rulesFile,
          PROMETHEUS_MULTIPROC_DIR: metricsFolder,
          PYTHONDONTWRITEBYTECODE: "1",
        },
        log: join(WORK, "fastapi.log"),
        port,
        metricsUrl: `http://127.0.0.1:${port}/metrics`,
      };
    },
  };
}

function contractEnvironment(run: Surroundings, serviceName: string): Record<string, string> {
  return {
    SERVICE_NAME: serviceName,
    [PROBES_SWITCH]: "1",
    ENVIRONMENT: "stage",
    CORS_ORIGINS: ORIGIN,
    OTEL_EXPORTER_OTLP_ENDPOINT: run.collector,
    OTEL_TRACES_SAMPLER_ARG: String(SAMPLED),
  };
}

/** Writes a text into the work folder. @returns the file's path. */
export function workFile(name: string, text: string): string {
  mkdirSync(WORK, { recursive: true });
  const path = join(WORK, name);
  writeFileSync(path, text);
  return path;
}
