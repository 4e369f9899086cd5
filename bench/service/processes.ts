import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/** How a server is started. */
export interface ServerCommand {
  command: string[];
  cwd: string;
  env: Record<string, string>;
  /** File that takes its standard output. */
  log: string;
  port: number;
}

/** A server that runs and answers. */
export interface Server {
  port: number;
  /** Milliseconds from exec to the first 200 on /health. */
  bootMs: number;
  /** CPU seconds of the whole process tree since it started. */
  cpuSeconds(): number;
  /** Resident memory of each process of the tree, in MiB, the largest first. */
  memoryMib(): number[];
  stop(): Promise<void>;
}

/** Clock ticks a second in /proc: 100 on every Linux that Node runs on. */
const TICKS = 100;
const PAGE_BYTES = 4_096;
/** A server that takes longer to stop is killed. */
const STOP_MS = 30_000;

/** Starts a server pinned to one CPU and waits until it is healthy. */
export async function startServer(
  { command, cwd, env, log, port }: ServerCommand,
  cpu: string,
): Promise<Server> {
  const out = openSync(log, "a");
  const startedAt = performance.now();
  const child = spawn("taskset", ["--cpu-list", cpu, ...command], {
    cwd,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], PORT: String(port), ...env },
    stdio: ["ignore", out, out],
    // A group of its own: gunicorn's workers outlive a master that is killed.
    detached: true,
  });
  closeSync(out);
  // When this program fails on the way, no server may stay behind to hold a port.
  const kill = (): void => killGroup(child);
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  while (!(await isHealthy(port))) {
    if (child.exitCode !== null) {
      throw new Error(`${command.join(" ")} ended with ${child.exitCode}: see ${log}`);
    }
    await delay(2);
  }
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command.join(" ")} has no process`);
  return {
    port,
    bootMs: performance.now() - startedAt,
    cpuSeconds: () => cpuSecondsOf(pid),
    memoryMib: () =>
      tree(pid)
        .map(({ pages }) => (pages * PAGE_BYTES) / 2 ** 20)
        .toSorted((a, b) => b - a),
    stop: () => stop(child),
  };
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left of it.
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => killGroup(child), STOP_MS);
  await once(child, "exit");
  clearTimeout(timer);
}

function isHealthy(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  get({ port, host: "127.0.0.1", path: "/health", agent: false }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  }).on("error", () => resolve(false));
  return promise;
}

/** CPU seconds of a process and its descendants since they started. */
export function cpuSecondsOf(pid: number): number {
  return tree(pid).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS;
}

/** The process and its descendants. CPU includes children that have ended and were waited for. */
function tree(root: number): { ticks: number; pages: number }[] {
  try {
    return readTree(root);
  } catch (error) {
    // A process may end while it is looked at.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function readTree(root: number): { ticks: number; pages: number }[] {
  const children = readFileSync(`/proc/${root}/task/${root}/children`, "utf8").split(" ");
  const nested = children.filter(Boolean).flatMap((pid) => tree(Number(pid)));
  const stat = readFileSync(`/proc/${root}/stat`, "utf8");
  // After the name, which may hold blanks: field 3 is at index 0.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  return [{ ticks, pages: Number(fields[21]) }, ...nested];
}
