import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { Violation } from "./check.ts";
import { eventually } from "./eventually.ts";
import { openPipe, slowDown } from "./pipe.ts";
import type { Instance, Launch, LaunchOptions } from "./target.ts";
import { send } from "./wire/send.ts";

const WORKERS_MS = 3_000;
const PAUSE_MS = 50;

/** How a service is started. */
export interface Recipe {
  program: string;
  args: readonly string[];
  folder: string;
  environment: Readonly<Record<string, string | undefined>>;
  /** Whether all of an instance serves; left out: whether it says so at /health/ready. */
  isReady?: (instance: Instance, options: LaunchOptions) => Promise<boolean>;
}

/** Starts instances of a service, each on ports of its own. */
export class Launcher {
  readonly #recipe: Recipe;
  readonly #running = new Set<Instance>();

  constructor(recipe: Recipe) {
    this.#recipe = recipe;
  }

  readonly launch: Launch = async (options = {}) => {
    const [port, metricsPort] = await freePorts();
    const environment = {
      // A generated service refuses to drain for longer than it is given to stop.
      STOP_TIMEOUT: "86400",
      ...this.#recipe.environment,
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      ...settingsOf(options),
    };
    const place = await workingDirectory(this.#recipe.folder, options.dotEnv);
    const instance = start(this.#recipe, place, environment);
    this.#running.add(instance);
    void instance.exited.then(() => this.#running.delete(instance));
    if (options.slowOutput) slowDown(instance.stdout);
    if (!options.atOnce) await this.#ready(instance, options);
    return instance;
  };

  /** Ends what is left of the instances. */
  async stop(): Promise<void> {
    await Promise.all([...this.#running].map((instance) => instance.stop()));
  }

  /** The same at once, without waiting for their ends. */
  kill(): void {
    for (const { pid } of this.#running) killGroup(pid);
  }

  async #ready(instance: Instance, options: LaunchOptions): Promise<void> {
    const { isReady = saysReady } = this.#recipe;
    let over = false;
    void instance.exited.then(() => (over = true));
    try {
      await eventually("a service that is ready after its start", async () => {
        if (over) throw new Violation(`the service did not start:\n${instance.allOutput()}`);
        return (await isReady(instance, options)) || undefined;
      });
    } catch (error) {
      await instance.stop();
      throw error;
    }
  }
}

/** A service that has another name for WEB_CONCURRENCY never has as many workers, so the wait for them ends. */
async function saysReady(instance: Instance, { workers = 0 }: LaunchOptions): Promise<boolean> {
  const response = await send(instance.url, "/health/ready").catch(() => undefined);
  if (response?.status !== 200) return false;
  const end = Date.now() + WORKERS_MS;
  while (instance.workerPids().length < workers && Date.now() < end) await delay(PAUSE_MS);
  return true;
}

/** The settings of an instance, by the names of their environment variables. */
function settingsOf(options: LaunchOptions): Record<string, string> {
  const knobs = {
    WEB_CONCURRENCY: options.workers,
    TIMEOUT: options.hangTimeout,
    DEREGISTRATION_DELAY: options.drainDelay,
    GRACEFUL_TIMEOUT: options.gracefulTimeout,
  };
  const given = Object.entries(knobs).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
    ...options.environment,
  };
}

/** The service's folder, or one that looks like it and has another `.env`. */
async function workingDirectory(
  folder: string,
  dotEnv: string | undefined,
): Promise<{ path: string; remove(): Promise<void> }> {
  if (dotEnv === undefined) return { path: folder, remove: async () => {} };
  const path = await mkdtemp(join(tmpdir(), "contract-"));
  for (const name of await readdir(folder)) {
    if (name !== ".env") await symlink(resolve(folder, name), join(path, name));
  }
  await writeFile(join(path, ".env"), dotEnv);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

function start(
  { program, args }: Recipe,
  place: { path: string; remove(): Promise<void> },
  environment: Record<string, string | undefined>,
): Instance & { stdout: Socket } {
  const { reader: stdout, writer } = openPipe();
  const child = spawn(program, args, {
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
