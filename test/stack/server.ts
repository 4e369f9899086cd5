import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";

/** How a server is started. */
export interface ServerCommand {
  name: string;
  command: [program: string, ...args: string[]];
  env?: Record<string, string>;
  /** Where it works, and where its log goes. */
  folder: string;
  /** Whether it answers. */
  ready: () => Promise<boolean>;
}

/** A server that answers. */
export interface Server extends AsyncDisposable {
  pid: number;
  /** What it wrote so far. */
  log(): string;
  /** Sends a signal, and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const POLL_MS = 50;
// A server that has not answered by then never will.
const PATIENCE_MS = 120_000;

/** Starts a server and waits until it answers. @throws with its log when it never does. */
export async function startServer(options: ServerCommand): Promise<Server> {
  const { name, command, env = {}, folder, ready } = options;
  const [program, ...args] = command;
  const file = join(folder, `${name}.log`);
  const log = (): string => (existsSync(file) ? readFileSync(file, "utf8") : "");
  const output = { file, append: true };
  // It ends with this process, however that ends.
  const child = execa(program, args, {
    cwd: folder,
    env,
    stdin: "ignore",
    stdout: output,
    stderr: output,
    reject: false,
  });
  let over: string | undefined;
  const ended = child.then(({ shortMessage = "it ended" }) => (over = shortMessage));
  const end = Date.now() + PATIENCE_MS;
  while (!(await ready().catch(() => false))) {
    if (over === undefined && Date.now() < end) {
      await delay(POLL_MS);
      continue;
    }
    child.kill("SIGKILL");
    throw new Error(`${name} did not start: ${over ?? "no answer"}\n${log()}`);
  }
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return { pid: child.pid ?? 0, log, stop, [Symbol.asyncDispose]: () => stop("SIGKILL") };
}

/** A server that comes back on the same port and data. */
export interface RestartableServer extends AsyncDisposable {
  pid: () => number;
  log: () => string;
  stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** Starts it again after a stop. */
  start: () => Promise<void>;
}

/** As `startServer`. */
export async function startRestartable(options: ServerCommand): Promise<RestartableServer> {
  let server = await startServer(options);
  return {
    pid: () => server.pid,
    log: () => server.log(),
    stop: (signal) => server.stop(signal),
    start: async () => void (server = await startServer(options)),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A new folder for a server's data, removed when it is disposed of. */
export async function scratchFolder(name: string): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), `stack-${name}-`));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Whether a URL is answered with this status. */
export async function answers(url: string, status: number, init?: RequestInit): Promise<boolean> {
  const response = await fetch(url, init);
  await response.arrayBuffer();
  return response.status === status;
}
