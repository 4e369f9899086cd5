import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

import { render } from "../../../src/plan/render.ts";
import { answersWith, templates } from "../../support/templates.ts";

export interface RunningService {
  port: number;
  /** Stops it and gives its log. */
  stop(): Promise<string[]>;
}

/** Writes a service with the echo routes in its list, and installs its dependencies. */
export async function installService(folder: string, framework: string): Promise<void> {
  for (const [path, { bytes, mode }] of render(templates, answersWith({ framework }))) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes, { mode });
  }
  const app = join(folder, "src/app.ts");
  const source = await readFile(app, "utf8");
  const routes = source.replace("routes: [", "routes: [...echoRoutes, ");
  await writeFile(app, `import { echoRoutes } from "./routes/echo.ts";\n${routes}`);
  await promisify(execFile)("npm", ["install", "--no-audit"], { cwd: folder });
}

/** Starts a service from its sources, and waits until it wants requests. */
export async function startService(folder: string): Promise<RunningService> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const service = spawn("node", ["src/main.ts"], {
    cwd: folder,
    env: {
      ...process.env,
      ENVIRONMENT: "dev",
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      WEB_CONCURRENCY: "1",
      SERVICE_NAME: "parity",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  createInterface(service.stdout).on("line", (line) => lines.push(line));
  await untilReady(service, port, lines);
  return { port, stop: () => stop(service, lines) };
}

async function untilReady(service: ChildProcess, port: number, lines: string[]): Promise<void> {
  for (;;) {
    if (service.exitCode !== null) {
      throw new Error(`the service did not start:\n${lines.join("\n")}`);
    }
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
    if (answer?.status === 200) {
      return;
    }
    await delay(100);
  }
}

async function stop(service: ChildProcess, lines: string[]): Promise<string[]> {
  if (service.exitCode === null && service.signalCode === null) {
    const closed = once(service, "close");
    service.kill("SIGTERM");
    await closed;
  }
  return lines;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}
