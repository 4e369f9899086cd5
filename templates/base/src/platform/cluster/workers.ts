import { fork } from "node:child_process";
import { BoundSocket } from "node:net";
import { captureStack } from "../observability/hang-report.ts";
import { CLOSE_TIMEOUT, QUICK_TIMEOUT, type WorkerExit } from "./config.ts";
import { MAX_REQUEST_IDS, type ToPrimary, WORKER_VARIABLE, type WorkerConfig } from "./protocol.ts";
import { abandonReload } from "./reload.ts";
import { canInherit } from "./host.ts";
import {
  alive,
  callHook,
  type Cluster,
  drain,
  increment,
  kill,
  type Pool,
  ready,
  type StopMode,
  upToDate,
  type Worker,
} from "./state.ts";

/** The exit code of a service that cannot start; Gunicorn's WORKER_BOOT_ERROR. */
const BOOT_FAILURE = 3;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;
/** How long a crashed worker goes on accepting while no replacement is ready: a back-off and a boot. */
const CRASH_GRACE_MS = 15_000;
const DEFAULT_INSPECT_PORT = 9_229;
const YOUNG_GENERATION_MIB = 32;

/** Starts one more worker of a pool. It counts as booting until it says that it is ready. */
export async function spawn(cluster: Cluster, pool: Pool): Promise<void> {
  const { events, log, plan, workers } = cluster;
  const slot = freeSlot(workers);
  const inspectPort = freePort();
  await callHook(cluster, "preFork", { worker: slot, pid: undefined });
  // A process that holds the socket and does not accept would keep connections waiting for nobody.
  const inherits = canInherit && pool.role === "web";
  const config = JSON.stringify(workerConfig(cluster, pool, slot));
  const child = fork(cluster.main, process.argv.slice(2), {
    env: { ...process.env, [WORKER_VARIABLE]: config },
    execArgv: [
      ...inspectorFlags(slot, inspectPort),
      ...(plan.heap === undefined ? [] : [`--max-old-space-size=${plan.heap}`]),
      ...(pool.role === "background" ? youngGenerationFlags(plan.heap) : []),
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
    drainAt: Infinity,
    killAt: now + plan.bootTimeout * 1_000,
  };
  workers.add(worker);
  log.debug(describe(worker), "worker spawned");
  child.on("message", (message: ToPrimary) =>
    events.add(() => onMessage(cluster, worker, message)),
  );
  child.once("exit", (code, signal) => events.add(() => reap(cluster, worker, { code, signal })));
  child.on("error", (error) => {
    log.error({ error, worker: slot }, "worker process error");
    // The fork failed (no process ids or memory left), so no exit will follow.
    if (child.pid === undefined) child.emit("exit", null, null);
  });
}

function workerConfig({ plan }: Cluster, { role }: Pool, worker: number): WorkerConfig {
  // Drawn once per worker, as Gunicorn does.
  const jitter = Math.floor(Math.random() * (plan.maxRequestsJitter + 1));
  return { ...plan, worker, role, maxRequests: plan.maxRequests && plan.maxRequests + jitter };
}

function freeSlot(workers: Set<Worker>): number {
  const taken = new Set([...workers].map(({ slot }) => slot));
  let slot = 1;
  while (taken.has(slot)) slot += 1;
  return slot;
}

/** With --inspect, each worker gets a port; otherwise its inspector sleeps until SIGUSR1 wakes it for a hang report. */
function inspectorFlags(slot: number, inspectPort: number): string[] {
  const kept = process.execArgv.filter((flag) => !/^--(watch|inspect)/.test(flag));
  const debug = process.execArgv.some((flag) => /^--inspect(-brk|-wait)?(=|$)/.test(flag));
  // Of scripts/dev.ts, which has one worker: that one gets the port that was asked for.
  const asked = process.env["INSPECT"] || (debug && DEFAULT_INSPECT_PORT + slot);
  if (asked) return [...kept, `--inspect=${asked}`];
  return [...kept, `--inspect-port=${inspectPort}`, "--inspect-publish-uid=http"];
}

/** A consumer's objects live for a batch; V8's default would promote them, at a third of the throughput. */
function youngGenerationFlags(heap = Infinity): string[] {
  const mib = Math.max(1, Math.min(YOUNG_GENERATION_MIB, Math.floor(heap / 10)));
  return [`--min-semi-space-size=${mib}`, `--max-semi-space-size=${mib}`];
}

/** A port that is free now. If another program takes it before a hang, the report lacks the stack. */
function freePort(): number {
  try {
    using socket = new BoundSocket({ host: "127.0.0.1" });
    return socket.address().port;
  } catch {
    return 0;
  }
}

function onMessage(cluster: Cluster, worker: Worker, message: ToPrimary): void {
  const now = performance.now();
  worker.lastBeatAt = now;
  if (message.type === "ready" && worker.phase === "booting") {
    worker.phase = "ready";
    worker.wasReady = true;
    worker.killAt = Infinity;
    cluster.log.info(describe(worker), "worker ready");
  } else if (message.type === "beat") {
    worker.beat = message;
    if (message.metrics) worker.snapshot = message.metrics;
  } else if (message.type === "retire") {
    const { reason } = message;
    cluster.log.info({ ...describe(worker), reason }, "replacing worker");
    if (reason === "crash" && worker.phase === "ready") {
      worker.drainAt = now + CRASH_GRACE_MS;
      backOff(cluster, worker);
      worker.outdated = reason;
    }
    worker.outdated ??= reason;
  }
}

function backOff({ events }: Cluster, { pool, bornAt }: Worker): void {
  const now = performance.now();
  const wait = nextBackOff(pool, now - bornAt);
  pool.spawnAfter = now + wait;
  setTimeout(() => events.add(), wait);
}

/** Milliseconds until the next spawn: 100, doubling to 10,000; a worker that lived longer ends the series. */
export function nextBackOff(pool: Pick<Pool, "failures">, livedMs: number): number {
  if (livedMs > LONGEST_BACKOFF_MS) pool.failures = 0;
  pool.failures += 1;
  return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (pool.failures - 1));
}

type Exit = Pick<WorkerExit, "code" | "signal">;

/** Removes a dead worker: keeps its counters, logs why it died, and decides what follows. */
async function reap(cluster: Cluster, worker: Worker, exit: Exit): Promise<void> {
  worker.phase = "killed";
  // Merged before it is removed: a scrape in between must not see the totals go down.
  if (worker.snapshot) {
    const { mergeExited } = await import("./admin.ts");
    cluster.exitedMetrics = await mergeExited(cluster.exitedMetrics, worker.snapshot);
  }
  cluster.workers.delete(worker);
  const reason = reasonOf(cluster, worker, exit);
  report(cluster, worker, exit, reason);
  const { slot, child, outdated, wasReady } = worker;
  await callHook(cluster, "workerExit", { worker: slot, pid: child.pid, ...exit, reason });
  if (cluster.stopping) return;

  if (reason !== "scale_down" && reason !== "rollback") increment(cluster.restarts, reason);
  if (outdated) return; // Its replacement is planned already.
  // A signal from outside does not mean that the release is bad: that worker gets another try.
  if (!wasReady && !cluster.started && (exit.signal === null || worker.killReason)) {
    cluster.log.fatal("a worker failed to start: the service stops");
    halt(cluster, "quick", BOOT_FAILURE);
    return;
  }
  if (!wasReady) abandonReload(cluster, reason);
  backOff(cluster, worker);
}

function reasonOf({ stopping }: Cluster, worker: Worker, { code, signal }: Exit): string {
  if (worker.killReason) return worker.killReason;
  if (worker.outdated) return worker.outdated;
  if (stopping && code === 0) return "stop";
  if (!worker.wasReady) return "boot_failure";
  if (signal) return signal === "SIGKILL" ? "sigkill" : "signal";
  return code === 0 ? "exit" : "crash";
}

function report({ log }: Cluster, worker: Worker, { code, signal }: Exit, reason: string): void {
  const fields = { ...describe(worker), code, signal, reason };
  const isPlanned = reason === "stop" || (reason === worker.outdated && reason !== "crash");
  if (signal === "SIGKILL" && !worker.killReason) {
    log.error(fields, "worker was killed with SIGKILL; out of memory?");
  } else if (isPlanned) log.info(fields, "worker exited");
  else log.error(fields, `worker died: ${signal ? `signal ${signal}` : `exit code ${code}`}`);
}

function describe({ slot, pool, child }: Worker): object {
  return { worker: slot, role: pool.role, worker_pid: child.pid };
}

/** Moves the workers towards the plan: as many as desired, none outdated, and never fewer ready than before. */
export async function manage(cluster: Cluster): Promise<void> {
  if (cluster.stopping) return;
  for (const pool of Object.values(cluster.pools)) {
    scaleDown(cluster, pool);
    await scaleUp(cluster, pool);
    retireOutdated(cluster, pool);
  }
}

/** Too many (TTOU, a smaller WEB_CONCURRENCY): those that still boot go first, then the oldest. */
function scaleDown(cluster: Cluster, pool: Pool): void {
  const kept = alive(cluster, pool).filter(({ outdated }) => !outdated);
  kept.sort((a, b) => Number(a.wasReady) - Number(b.wasReady) || a.bornAt - b.bornAt);
  for (const worker of kept.slice(0, Math.max(0, kept.length - pool.desired))) {
    worker.outdated = "scale_down";
    retire(cluster, worker);
  }
}

async function scaleUp(cluster: Cluster, pool: Pool): Promise<void> {
  if (performance.now() < pool.spawnAfter) return;
  const workers = alive(cluster, pool);
  const kept = workers.filter(({ outdated }) => !outdated);
  // One worker more than usual while one is replaced; a reload brings up a whole second set.
  const room = cluster.reload?.wholeSet ? Infinity : pool.desired + 1 - workers.length;
  const missing = Math.min(pool.desired - kept.length, room);
  for (let count = 0; count < missing; count += 1) await spawn(cluster, pool);
}

function retireOutdated(cluster: Cluster, pool: Pool): void {
  const now = performance.now();
  for (const worker of alive(cluster, pool)) {
    if (worker.outdated && (!worker.wasReady || now > worker.drainAt)) retire(cluster, worker);
  }
  const serving = ready(cluster, pool);
  const complete = upToDate(cluster, pool).length >= pool.desired;
  const spare = cluster.reload?.wholeSet && !complete ? 0 : serving.length - pool.desired;
  const outdated = serving.filter((worker) => worker.outdated);
  for (const worker of outdated.slice(0, Math.max(0, spare))) retire(cluster, worker);
}

function retire(cluster: Cluster, worker: Worker): void {
  if (worker.wasReady) drain(worker, "replace", cluster.plan.gracefulTimeout + CLOSE_TIMEOUT);
  else kill(worker, worker.outdated ?? "scale_down");
}

/** Kills workers that are silent for the timeout, too slow to boot, or too slow to exit. */
export function killOverdue(cluster: Cluster): void {
  const now = performance.now();
  const { timeout } = cluster.plan;
  for (const worker of cluster.workers) {
    const { phase, wasReady, killAt } = worker;
    const silence = (now - worker.lastBeatAt) / 1_000;
    if (phase === "killed") continue;
    if (wasReady && timeout > 0 && silence > timeout) {
      cluster.hangs += 1;
      void killWithReport(cluster, worker, "hang", `no sign of life for ${silence.toFixed(1)} s`);
    } else if (now > killAt && phase === "booting") {
      void killWithReport(cluster, worker, "boot_timeout", "not ready within the boot time-out");
    } else if (now > killAt) {
      cluster.log.error(describe(worker), "worker killed: did not finish in time");
      kill(worker, "graceful_timeout");
    }
  }
}

/** Logs the worker's stack and the requests in flight as one line, and kills it. */
async function killWithReport(
  { log }: Cluster,
  worker: Worker,
  reason: "hang" | "boot_timeout",
  what: string,
): Promise<void> {
  worker.phase = "killed";
  const found = await captureStack(worker.child.pid ?? 0, worker.inspectPort);
  const requests = found?.requests ?? worker.beat?.requests ?? [];
  const details = { stack: found?.stack ?? [], request_ids: requests.slice(0, MAX_REQUEST_IDS) };
  log.error({ ...describe(worker), ...details }, `worker killed: ${what}`);
  kill(worker, reason);
}

/**
 * Stops all workers. `stop` serves on for the deregistration delay and lets requests finish, `quick` gives them
 * two seconds, `kill` none. The primary exits when the last worker has; the first exit code given stays.
 */
export function halt(cluster: Cluster, mode: StopMode, exitCode = 0): void {
  // The workers accept until they close theirs; if ours stayed open, connections would wait for nobody after that.
  if (!cluster.stopping && canInherit) cluster.socket.close();
  if (!cluster.stopping) cluster.exitCode = exitCode;
  cluster.stopping = mode;
  cluster.log.info({ mode }, "stopping");
  const { deregistrationDelay, gracefulTimeout } = cluster.plan;
  for (const worker of cluster.workers) {
    if (mode === "kill") kill(worker, "stop");
    else if (mode === "quick") drain(worker, "quick", QUICK_TIMEOUT + CLOSE_TIMEOUT);
    else drain(worker, "stop", deregistrationDelay + gracefulTimeout + CLOSE_TIMEOUT);
  }
}
