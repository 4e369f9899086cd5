import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseExposition, sumOf } from "../prometheus.ts";
import type { Instance, Launch, LaunchOptions } from "../target.ts";
import { send } from "../wire/send.ts";
import { openPipe, slowDown } from "./pipe.ts";
import { PROBES_SWITCH } from "./probes.ts";

/** Starts instances of the built service in `folder`. */
export function launcherOf(folder: string): Launch {
  return async (options = {}) => {
    const [port, metricsPort] = await freePorts();
    const environment = {
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      ...environmentOf(options),
    };
    const place = await workingDirectory(folder, options.dotEnv);
    const instance = start(join(folder, "dist/main.js"), place, environment);
    if (options.slowOutput) slowDown(instance.stdout);
    if (!options.atOnce) await ready(instance);
    return instance;
  };
}

/** Only what is asked for: the variables of whoever runs the suite are not for the service. */
function environmentOf(options: LaunchOptions): Record<string, string> {
  const knobs = {
    WEB_CONCURRENCY: options.workers,
    TIMEOUT: options.hangTimeout,
    DEREGISTRATION_DELAY: options.drainDelay,
    GRACEFUL_TIMEOUT: options.gracefulTimeout,
  };
  const given = Object.entries(knobs).filter(([, value]) => value !== undefined);
  return {
    PATH: process.env["PATH"] ?? "",
    STOP_TIMEOUT: "86400",
    [PROBES_SWITCH]: "1",
    ...Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
    ...options.environment,
  };
}

async function workingDirectory(
  folder: string,
  dotEnv: string | undefined,
): Promise<{ path: string; remove(): Promise<void> }> {
  if (dotEnv === undefined) return { path: folder, remove: async () => {} };
  const path = await mkdtemp(join(tmpdir(), "contract-"));
  await writeFile(join(path, ".env"), dotEnv);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

function start(
  main: string,
  place: { path: string; remove(): Promise<void> },
  environment: Record<string, string>,
): Instance & { stdout: Socket } {
  const { reader: stdout, writer } = openPipe();
  const child = spawn(process.execPath, [main], {
    cwd: place.path,
    env: environment,
    stdio: ["ignore", writer, "pipe"],
    // A process group of its own, so that no worker outlives the check.
    detached: true,
  });
  closeSync(writer);
  const pid = child.pid ?? 0;
  const text = { output: "", all: "" };
  stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text.output += chunk;
    text.all += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text.all += chunk;
  });
  // Not `exit`: the last lines may come after it.
  const exited = Promise.all([once(child, "close"), once(stdout, "close")]).then(
    ([[code, signal]]) => ({ code, signal }),
  );
  return {
    url: `http://127.0.0.1:${environment["PORT"]}`,
    metricsUrl: `http://127.0.0.1:${environment["METRICS_PORT"]}`,
    pid,
    stdout,
    output: async () => wholeLines(text.output),
    allOutput: () => text.all,
    workerPids: () => webWorkersOf(pid),
    signal: (signal) => void child.kill(signal),
    exited,
    async stop() {
      killGroup(pid);
      await exited;
      await place.remove();
    },
  };
}

async function ready(instance: Instance): Promise<void> {
  let over = false;
  const ended = instance.exited.then(() => (over = true));
  while (!(await hasAllWorkers(instance.metricsUrl))) {
    if (over) throw new Error(`the service did not start:\n${instance.allOutput()}`);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 25))]);
  }
}

/** Asks the metrics, because the log's level may be too high to say it, and probes would be counted. */
async function hasAllWorkers(metricsUrl: string): Promise<boolean> {
  try {
    const page = parseExposition((await send(metricsUrl, "/metrics")).text);
    const running = page.samples.find(
      ({ name, labels }) => name === "cluster_workers" && labels["phase"] === "ready",
    );
    return running?.value === sumOf(page, "cluster_workers_desired");
  } catch {
    return false;
  }
}

function wholeLines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

/** The living children; without the one for background work, which serves no requests. */
function webWorkersOf(parent: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8" });
  return table
    .split("\n")
    .map((row) => row.trim().split(/\s+/))
    .filter(([, ppid, state]) => Number(ppid) === parent && !state?.startsWith("Z"))
    .filter(([, , , name]) => name !== "background")
    .map(([pid]) => Number(pid));
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All of it is gone already.
  }
}

/** Two ports that were free a moment ago. */
async function freePorts(): Promise<number[]> {
  const servers = [createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address !== null && typeof address === "object") ports.push(address.port);
  }
  for (const server of servers) server.close();
  return ports;
}
