import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";

/** What this task or container may use. */
export interface Capacity {
  /** May be a fraction: 0.5 is half a CPU. */
  cpus: number;
  /** MiB; undefined when nothing limits it. */
  memory: number | undefined;
}

interface TaskMetadata {
  /** CPU in vCPU, Memory in MiB. */
  Limits?: { CPU?: number; Memory?: number };
}

const MIB = 1024 * 1024;
// V8 needs the rest for buffers, code and stacks; below the floor a worker cannot even boot.
const HEAP_SHARE = 0.7;
const HEAP_FLOOR = 96;

/**
 * Asks the ECS task metadata first, because on Fargate the limit is on the task and no cgroup file of the
 * container shows it; then the cgroup.
 */
export async function measureCapacity(env: NodeJS.ProcessEnv = process.env): Promise<Capacity> {
  const limits = await readTaskLimits(env["ECS_CONTAINER_METADATA_URI_V4"]);
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 && constrained < totalmem() ? constrained / MIB : undefined;
  return {
    cpus: limits?.CPU ?? readCpuQuota() ?? availableParallelism(),
    memory: limits?.Memory ?? memory,
  };
}

async function readTaskLimits(metadataUri: string | undefined): Promise<TaskMetadata["Limits"]> {
  if (!metadataUri) return undefined;
  try {
    const answer = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(1_000) });
    return ((await answer.json()) as TaskMetadata).Limits;
  } catch {
    return undefined; // The endpoint is a convenience: the service starts without it.
  }
}

/** A quota below one CPU; availableParallelism reports the host's count for those (nodejs/node#59200). */
function readCpuQuota(): number | undefined {
  try {
    const text = readFileSync("/sys/fs/cgroup/cpu.max", "utf8");
    const [quota, period] = text.split(" ").map(Number);
    if (!quota || !period) return undefined;
    return Math.min(quota / period, availableParallelism());
  } catch {
    return undefined;
  }
}

/** One worker per whole CPU, at least one. Not 2n+1: a worker's event loop never waits for I/O. */
export function workersFor(cpus: number): number {
  return Math.max(1, Math.floor(cpus));
}

/**
 * A process's share of the memory as old-space limit in MiB, because each V8 believes that it owns the container.
 * Undefined when memory is unlimited: then V8's own default holds.
 */
export function heapFor(memory: number | undefined, processes: number): number | undefined {
  if (memory === undefined) return undefined;
  return Math.max(HEAP_FLOOR, Math.floor((HEAP_SHARE * memory) / processes));
}

/** The old-space limit in MiB that someone set by hand, in NODE_OPTIONS or on the command line. */
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
