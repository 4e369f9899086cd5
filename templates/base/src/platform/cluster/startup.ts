import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { BoundSocket } from "node:net";
import { SettingsError } from "../settings.ts";

/** The number of the inherited socket in a worker: 0 to 2 are stdio, 3 is the channel to the primary. */
export const LISTEN_FD = 4;

/** Windows passes no sockets to children: there is one worker there, and it binds the port itself. */
export const canInherit = process.platform !== "win32";

const BIND_ERRORS: Record<string, string> = {
  EADDRINUSE: "is in use by another process",
  EACCES: "needs rights that this user does not have",
  EADDRNOTAVAIL: "cannot be bound: the address is not one of this machine's",
};

/** Binds a port, without accepting from it yet. @throws {SettingsError} that names the `variable` that chose it. */
export function bind(host: string, port: number, variable: string): BoundSocket {
  try {
    return new BoundSocket({ host, port });
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    const reason = BIND_ERRORS[code] ?? `cannot be bound: ${message}`;
    throw new SettingsError([`${variable}: port ${port} ${reason}`]);
  }
}

/** Writes this process's id. @throws {SettingsError} when the file names another process that is running. */
export function writePidfile(path: string): void {
  const owner = readPid(path);
  if (owner !== undefined && owner !== process.pid && isRunning(owner)) {
    throw new SettingsError([`PIDFILE: ${path} belongs to process ${owner}, which is running`]);
  }
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    throw new SettingsError([`PIDFILE: ${(error as Error).message}`]);
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
