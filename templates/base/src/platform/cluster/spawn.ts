import { fork } from "node:child_process";
import { BoundSocket } from "node:net";
import { callHook } from "./hooks.ts";
import { canInherit } from "./listen-socket.ts";
import type { ToPrimary } from "./messages.ts";
import { WORKER_VARIABLE, type WorkerOrders } from "./orders.ts";
import type { Pool } from "./pool.ts";
import type { Cluster, Worker } from "./state.ts";

const DEFAULT_INSPECT_PORT = 9_229;
/** MiB. */
const YOUNG_SPACE = 32;

/** Starts one more worker of a pool. It counts as booting until it says that it is ready. */
export async function spawn(cluster: Cluster, pool: Pool): Promise<void> {
  const slot = freeSlot(cluster);
  const inspectPort = freePort();
  await callHook(cluster, "preFork", { worker: slot, pid: undefined });

  const { heap } = cluster.plan;
  // A process that holds the socket and does not accept would keep connections waiting for nobody.
  const inherits = canInherit && pool.role === "web";
  const child = fork(cluster.main, process.argv.slice(2), {
    env: { ...process.env, [WORKER_VARIABLE]: JSON.stringify(ordersFor(cluster, pool, slot)) },
    execArgv: [
      ...workerFlags(process.execArgv, slot, inspectPort),
      ...(heap === undefined ? [] : [`--max-old-space-size=${heap}`]),
      ...(pool.role === "background" ? youngSpaceFlags(heap) : []),
    ],
    stdio: ["ignore", "inherit", "inherit", "ipc", ...(inherits ? [cluster.socket.fd()] : [])],
  });
  const now = performance.now();
  const worker: Worker = {
    slot,
    pool,
    child,
    inspectPort,
    bornAt: now,
    phase: "booting",
    wasReady: false,
    lastBeatAt: now,
    beat: undefined,
    snapshot: undefined,
    outdated: undefined,
    killAt: now + cluster.plan.bootTimeout * 1_000,
    killReason: undefined,
  };
  cluster.workers.add(worker);
  child.on("message", (message: ToPrimary) =>
    cluster.inbox.put({ type: "message", worker, message }),
  );
  child.once("exit", (code, signal) => cluster.inbox.put({ type: "exit", worker, code, signal }));
  child.on("error", (error) => {
    cluster.log.error({ error, worker: slot }, "worker process error");
    // It never came to life (no process ids or memory left), so no exit will follow.
    if (child.pid === undefined)
      cluster.inbox.put({ type: "exit", worker, code: null, signal: null });
  });
  cluster.log.debug({ worker: slot, role: pool.role, worker_pid: child.pid }, "worker spawned");
}

function ordersFor({ plan }: Cluster, { role }: Pool, worker: number): WorkerOrders {
  const { backlog, deregistrationDelay, gracefulTimeout, keepAlive } = plan;
  const { maxRequests, maxRequestsJitter, workerMemoryLimit } = plan;
  return {
    worker,
    role,
    title: plan.processTitle,
    backlog,
    deregistrationDelay,
    gracefulTimeout,
    keepAlive,
    workerMemoryLimit,
    // Drawn once per worker, as Gunicorn does.
    maxRequests: maxRequests && maxRequests + Math.floor(Math.random() * (maxRequestsJitter + 1)),
  };
}

function freeSlot({ workers }: Cluster): number {
  const taken = new Set([...workers].map(({ slot }) => slot));
  let slot = 1;
  while (taken.has(slot)) slot += 1;
  return slot;
}

/**
 * The primary's own flags, less what is for it alone. A debugger that was asked for gets a port per worker;
 * otherwise the inspector sleeps until SIGUSR1 wakes it for the report of a hang.
 */
function workerFlags(flags: readonly string[], slot: number, inspectPort: number): string[] {
  const kept = flags.filter((flag) => !flag.startsWith("--watch") && !flag.startsWith("--inspect"));
  const debug = flags.some((flag) => /^--inspect(-brk|-wait)?(=|$)/.test(flag));
  if (debug) return [...kept, `--inspect=${DEFAULT_INSPECT_PORT + slot}`];
  return [...kept, `--inspect-port=${inspectPort}`, "--inspect-publish-uid=http"];
}

/**
 * A consumer makes many objects that live as long as a batch. In the space that V8 gives to young ones they take each
 * other for old, and collecting them costs a third of the throughput.
 */
function youngSpaceFlags(heap = Infinity): string[] {
  const mib = Math.max(1, Math.min(YOUNG_SPACE, Math.floor(heap / 10)));
  return [`--min-semi-space-size=${mib}`, `--max-semi-space-size=${mib}`];
}

/** A port that is free now. Should another program take it before a hang, the report lacks the stack. */
function freePort(): number {
  try {
    using socket = new BoundSocket({ host: "127.0.0.1" });
    return socket.address().port;
  } catch {
    return 0;
  }
}
