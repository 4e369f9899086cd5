import { readFileSync, rmSync, writeFileSync } from "node:fs";

/**
 * Writes this process's id to `path`.
 * @throws when the file names a process that is alive: two services must not share it.
 */
export function writePidfile(path: string): void {
  const owner = readPid(path);
  if (owner !== undefined && owner !== process.pid && isAlive(owner)) {
    throw new Error(`PIDFILE: ${path} belongs to process ${owner}, which is running`);
  }
  writeFileSync(path, `${process.pid}\n`);
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
