import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What a drill may ask for; in the words of Gunicorn, which both sides know. */
export interface RunOptions {
  workers?: number;
  /** Seconds. */
  timeout?: number;
  maxRequests?: number;
  maxRequestsJitter?: number;
}

/** One of the two services that are drilled. */
export interface Subject {
  readonly name: string;
  /** Where its log goes, and where a flag for its workers may lie. */
  readonly folder: string;
  command(
    ports: { port: number; metricsPort: number },
    options: RunOptions,
  ): { file: string; args: string[]; env: NodeJS.ProcessEnv };
  /** From now on, what is on the disk does not start. */
  breakBuild: () => void;
  mendBuild: () => void;
  /** Does the log say that so many workers are ready? */
  isReady: (log: string, workers: number) => boolean;
  /** Does this line of the log tell where a worker hung and for which request? */
  explainsHang: (line: string) => boolean;
}

/** A subject that runs. */
export interface Running {
  readonly port: number;
  readonly process: ChildProcess;
  /** Exit code, or the signal that ended it; undefined while it runs. */
  ended(): number | string | undefined;
  /** The process ids of the workers, as the kernel sees them. */
  workers(): number[];
  log(): string;
  /** Sends a signal to the primary. */
  signal(name: NodeJS.Signals): void;
  /** Waits until `condition` holds, or the primary is gone. */
  until(condition: () => boolean | Promise<boolean>): Promise<void>;
}

const POLL_MS = 25;
const launched: ChildProcess[] = [];

/** Starts a subject and waits until its workers serve. */
export async function run(subject: Subject, options: RunOptions = {}): Promise<Running> {
  const running = await launch(subject, options);
  const { workers = 2 } = options;
  await running.until(() => subject.isReady(running.log(), workers));
  if (running.ended() !== undefined) {
    throw new Error(`${subject.name} did not start:\n${running.log()}`);
  }
  return running;
}

/** Starts a subject without waiting for anything. */
export async function launch(subject: Subject, options: RunOptions = {}): Promise<Running> {
  const port = await freePort();
  const ports = { port, metricsPort: await freePort() };
  const { file, args, env } = subject.command(ports, { workers: 2, timeout: 120, ...options });
  const logFile = join(subject.folder, `run-${port}.log`);
  const log = openSync(logFile, "a");
  const child = spawn(file, args, {
    cwd: subject.folder,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  launched.push(child);
  const running: Running = {
    port,
    process: child,
    ended: () => child.exitCode ?? child.signalCode ?? undefined,
    workers: () => childrenOf(child.pid ?? 0),
    log: () => readFileSync(logFile, "utf8"),
    signal: (name) => void child.kill(name),
    async until(condition) {
      while (running.ended() === undefined && !(await condition())) await delay(POLL_MS);
    },
  };
  return running;
}

/** The live children of a process, from /proc: the same for Node and for Python. */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number).filter(isAlive);
  } catch {
    return [];
  }
}

/** Zombies do not count. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Ends whatever was launched, also what a primary left behind. */
export async function endAll(): Promise<void> {
  for (const child of launched.splice(0)) {
    const running = child.exitCode === null && child.signalCode === null;
    const exit = running ? once(child, "exit") : undefined;
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // Nobody is left.
    }
    await exit;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}
