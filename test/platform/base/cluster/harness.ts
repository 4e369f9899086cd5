import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type Agent, get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll } from "vitest";
import type { ClusterOptions } from "../../src/platform/cluster/config.ts";
import type { Boot } from "./fixture/service.ts";

/** One line of the log. */
export type Line = Record<string, unknown> & { message: string };

/** What the fixture reads at every start of a worker and at every reload. */
export interface Fixture {
  boot?: Boot;
  options?: Partial<Omit<ClusterOptions, "hooks">>;
}

/** A running cluster with the fixture's service. It is ended with the file's tests. */
export interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly admin: string;
  /** Exit code, or the name of the signal. */
  readonly exited: Promise<number | string>;
  readonly lines: Line[];
  /** Resolves when `count` lines have `message` and the other fields of `like`. */
  seen(like: Partial<Line>, count?: number): Promise<Line>;
  /** The process ids of the workers that said they are ready, in that order. */
  readyPids(): number[];
  change(fixture: Fixture): void;
  kill(signal: NodeJS.Signals): void;
}

// At the end of the file, not of the test: the tests of a file run at the same time.
const cleanUps: (() => unknown)[] = [];
afterAll(() => Promise.all(cleanUps.map((cleanUp) => cleanUp())));

/** These tests start a hundred processes, which load the same modules. */
const quickBoot = { NODE_COMPILE_CACHE: join(tmpdir(), `cluster-tests-${process.versions.node}`) };

/** As npm does where the shell does not become the program: a shell is between the caller and the primary. */
export const behindShell = ["sh", "-c", '"$0" "$@"; exit $?'];

/**
 * Starts the fixture as a process of its own, without waiting for anything.
 * @param prefix what to start it with.
 */
export async function launch(
  fixture: Fixture = {},
  env: NodeJS.ProcessEnv = {},
  prefix: string[] = [],
): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "cluster-"));
  const file = join(folder, "fixture.json");
  const change = (to: Fixture): void => writeFileSync(file, JSON.stringify({ options: {}, ...to }));
  change(fixture);
  const [port, metricsPort] = [await freePort(), await freePort()];
  const command = [...prefix, process.execPath, join(import.meta.dirname, "fixture/main.ts")];
  const child = spawn(command[0]!, command.slice(1), {
    env: { ...quickBoot, PORT: `${port}`, METRICS_PORT: `${metricsPort}`, FIXTURE: file, ...env },
    stdio: ["ignore", "pipe", "inherit"],
    // A process group of its own: to signal all of it as a terminal does, and to leave nothing behind.
    detached: true,
  });
  const running = follow(child, port, metricsPort, change);
  cleanUps.push(async () => {
    killGroup(child, "SIGKILL");
    await running.exited;
    rmSync(folder, { recursive: true });
  });
  return running;
}

/** Starts the fixture and waits until all workers are ready. */
export async function start(...how: Parameters<typeof launch>): Promise<Running> {
  const running = await launch(...how);
  await running.seen({ message: "service ready" });
  return running;
}

function follow(
  child: ChildProcess,
  port: number,
  metricsPort: number,
  change: (fixture: Fixture) => void,
): Running {
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout! }).on("line", (text) => {
    lines.push(parse(text));
    for (const look of waiting) look();
  });
  const exited = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string);
  return {
    child,
    url: `http://127.0.0.1:${port}`,
    admin: `http://127.0.0.1:${metricsPort}`,
    exited,
    lines,
    change,
    seen(like, count = 1) {
      return new Promise((resolve) => {
        const look = (): void => {
          const line = lines.filter((candidate) => matches(candidate, like))[count - 1];
          if (line === undefined) return;
          waiting.delete(look);
          resolve(line);
        };
        waiting.add(look);
        look();
      });
    },
    readyPids: () =>
      lines
        .filter(({ message }) => message === "worker ready")
        .map((line) => Number(line["worker_pid"])),
    kill: (signal) => void child.kill(signal),
  };
}

function parse(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return { message: text, unparsable: true };
  }
}

function matches(line: Line, like: Partial<Line>): boolean {
  return Object.entries(like).every(([key, value]) => line[key] === value);
}

/** Signals every process of the cluster, as a terminal does. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid ?? 0), signal);
  } catch {
    // All of them are gone.
  }
}

/** One request over a connection of its own. */
export function request(
  url: string,
  options: { agent?: Agent; headers?: Record<string, string> } = {},
): Promise<{ status: number; body: string; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    get(url, { agent: options.agent ?? false, headers: options.headers ?? {} }, async (res) => {
      let body = "";
      try {
        for await (const chunk of res) body += String(chunk);
        resolve({ status: res.statusCode ?? 0, body, connection: res.headers.connection });
      } catch (error) {
        reject(error);
      }
    }).once("error", reject);
  });
}

/** Sends requests one after the other until told to stop; then tells how many, or what the first failure was. */
export function keepAsking({ url }: Running, agent?: Agent): { stop: () => Promise<number> } {
  const state = { asking: true };
  const ask = async (): Promise<number> => {
    let count = 0;
    for (; state.asking; count += 1) {
      const { status } = await request(url, agent ? { agent } : {});
      if (status !== 200) throw new Error(`status ${status}`);
    }
    return count;
  };
  const outcome = Promise.allSettled([ask()]);
  return {
    async stop() {
      state.asking = false;
      const [asked] = await outcome;
      if (asked.status === "rejected") throw asked.reason;
      return asked.value;
    },
  };
}

/** What a promise that must fail failed with. */
export async function failureOf(promise: Promise<unknown>): Promise<string> {
  const [outcome] = await Promise.allSettled([promise]);
  return outcome.status === "rejected" ? String(outcome.reason) : "it did not fail";
}

/** By chance, below those that systems hand out: one of theirs may be a client's of another test a moment later. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}

/** Resolves when the process does not exist any more. */
export async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
