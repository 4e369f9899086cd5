import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { BoundSocket } from "node:net";
import { SettingsError } from "../settings.ts";

const MIB = 1024 * 1024;
// V8 needs the rest for buffers, code and stacks; below the floor a worker cannot even boot.
const HEAP_SHARE = 0.7;
const HEAP_FLOOR = 96;

/**
 * The CPUs (0.5 is half of one) and MiB (undefined without a limit) that this task or container may use. Reads the ECS
 * task metadata first: on Fargate, no cgroup file shows the task's limit. Then the cgroup, v2 or v1.
 */
export async function measureCapacity(env = process.env, cgroup = "/sys/fs/cgroup") {
  const limits = await readTaskLimits(env["ECS_CONTAINER_METADATA_URI_V4"]);
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 && constrained < totalmem() ? constrained / MIB : undefined;
  return {
    cpus: limits?.CPU ?? readCpuQuota(cgroup) ?? availableParallelism(),
    memory: limits?.Memory ?? memory,
  };
}

type TaskLimits = { CPU?: number; Memory?: number } | undefined;

async function readTaskLimits(metadataUri: string | undefined): Promise<TaskLimits> {
  if (!metadataUri) return undefined;
  try {
    const response = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(1_000) });
    return ((await response.json()) as { Limits?: TaskLimits }).Limits;
  } catch {
    return undefined; // The service starts without it.
  }
}

/** For quotas below one CPU: availableParallelism reports the host's count for those (nodejs/node#59200). */
function readCpuQuota(cgroup: string): number | undefined {
  const text =
    read(`${cgroup}/cpu.max`) ??
    `${read(`${cgroup}/cpu/cpu.cfs_quota_us`)} ${read(`${cgroup}/cpu/cpu.cfs_period_us`)}`;
  const [quota, period] = text.split(" ").map(Number);
  // Without a limit the quota is "max" in version 2 and -1 in version 1.
  if (!quota || !period || quota < 0) return undefined;
  return Math.min(quota / period, availableParallelism());
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** One worker per whole CPU, at least one. Not 2n+1: a worker's event loop never waits for I/O. */
export function workersFor(cpus: number): number {
  return Math.max(1, Math.floor(cpus));
}

/** A process's share of the memory as old-space limit in MiB: each V8 believes that it owns the container. */
export function heapFor(memory: number | undefined, processes: number): number | undefined {
  if (memory === undefined) return undefined;
  return Math.max(HEAP_FLOOR, Math.floor((HEAP_SHARE * memory) / processes));
}

/** The old-space limit in MiB that was set by hand, in NODE_OPTIONS or on the command line. */
export function heapSetByHand(
  flags: readonly string[],
  memory: number | undefined,
): number | undefined {
  const pattern = /^--max[-_]old[-_]space[-_]size(-percentage)?=([\d.]+)$/;
  const found = flags.map((flag) => pattern.exec(flag)).findLast((match) => match !== null);
  if (!found) return undefined;
  const amount = Number(found[2]);
  return found[1] === undefined ? amount : (amount / 100) * (memory ?? totalmem() / MIB);
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
