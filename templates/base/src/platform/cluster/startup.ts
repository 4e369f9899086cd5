import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { BoundSocket } from "node:net";
import { isatty } from "node:tty";

/** The service cannot start as it is configured. `problems` has one line for each thing to fix. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly problems: string[];

  constructor(problems: string[]) {
    super(`the service cannot start:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** Reports the error before there is a logger: to a person as text, to the log pipeline as one JSON line. */
export function printStartError({ message, problems }: StartError): void {
  if (isatty(2)) {
    process.stderr.write(`error: ${message}\n`);
    return;
  }
  const timestamp = new Date().toISOString();
  process.stdout.write(`${JSON.stringify({ timestamp, level: "fatal", message, problems })}\n`);
}

/** The number of the inherited socket in a worker: 0 to 2 are stdio, 3 is the channel to the primary. */
export const LISTEN_FD = 4;

/** Windows passes no sockets to children: there is one worker there, and it binds the port itself. */
export const canInherit = process.platform !== "win32";

const BIND_ERRORS: Record<string, string> = {
  EADDRINUSE: "is in use by another process",
  EACCES: "needs rights that this user does not have",
  EADDRNOTAVAIL: "cannot be bound: the address is not one of this machine's",
};

/** Binds a port, without accepting from it yet. @throws {StartError} that names the `variable` that chose it. */
export function bind(host: string, port: number, variable: string): BoundSocket {
  try {
    return new BoundSocket({ host, port });
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    const reason = BIND_ERRORS[code] ?? `cannot be bound: ${message}`;
    throw new StartError([`${variable}: port ${port} ${reason}`]);
  }
}

/** Writes this process's id. @throws {StartError} when the file names another process that is running. */
export function writePidfile(path: string): void {
  const owner = readPid(path);
  if (owner !== undefined && owner !== process.pid && isRunning(owner)) {
    throw new StartError([`PIDFILE: ${path} belongs to process ${owner}, which is running`]);
  }
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    throw new StartError([`PIDFILE: ${(error as Error).message}`]);
  }
}

/** Removes the file, unless another process has taken it over. */
export function removePidfile(path: string): void {
  if (readPid(path) === process.pid) rmSync(path, { force: true });
}

function readPid(path: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(path, "utf8"), 10) || undefined;
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
