import type { Server as HttpServer } from "node:http";
import { Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type DrainMode, QUICK_TIMEOUT } from "./messages.ts";
import type { WorkerOrders } from "./orders.ts";
import type { WorkerService } from "./service.ts";

/** The end of a worker's service, without a lost request. */
export interface Drain {
  /** Begins, or shortens what has begun. */
  begin: (mode: DrainMode) => void;
  /** Resolves when no connection is left. */
  finished: Promise<void>;
}

/** The turns of a drain, in milliseconds of performance.now(). */
interface Turns {
  /** New connections are accepted until then. */
  acceptUntil: number;
  /** Idle connections are left open until then, to come back once and hear `Connection: close`. */
  keepIdleUntil: number;
  /** Whatever is still open then is cut. */
  cutAt: number;
}

const PASS_MS = 100;
/** A request may be on its way over a connection that was accepted a moment ago. */
const LINGER_MS = 500;

/** Prepares the drain of `service`; nothing happens until `begin`. */
export function createDrain(service: WorkerService, orders: WorkerOrders): Drain {
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  const turns: Turns = { acceptUntil: Infinity, keepIdleUntil: Infinity, cutAt: Infinity };
  let begun = false;
  return {
    finished,
    begin(mode) {
      bringForward(turns, turnsOf(mode, orders));
      service.beginDrain({ stopping: mode !== "replace" });
      if (begun) return;
      begun = true;
      if (service.server === undefined) resolve();
      else void run(service.server, turns).then(resolve);
    },
  };
}

function turnsOf(mode: DrainMode, { deregistrationDelay, gracefulTimeout }: WorkerOrders): Turns {
  const now = performance.now();
  const delayMs = deregistrationDelay * 1_000;
  const graceMs = gracefulTimeout * 1_000;
  if (mode === "quick") {
    return { acceptUntil: now, keepIdleUntil: now, cutAt: now + QUICK_TIMEOUT * 1_000 };
  }
  if (mode === "replace") {
    const keepIdleUntil = now + Math.max(delayMs, LINGER_MS);
    return { acceptUntil: now, keepIdleUntil, cutAt: now + graceMs };
  }
  const acceptUntil = now + delayMs;
  return { acceptUntil, keepIdleUntil: acceptUntil + LINGER_MS, cutAt: acceptUntil + graceMs };
}

function bringForward(turns: Turns, sooner: Turns): void {
  turns.acceptUntil = Math.min(turns.acceptUntil, sooner.acceptUntil);
  turns.keepIdleUntil = Math.min(turns.keepIdleUntil, sooner.keepIdleUntil);
  turns.cutAt = Math.min(turns.cutAt, sooner.cutAt);
}

async function run(server: HttpServer, turns: Turns): Promise<void> {
  const closed = new Promise<true>((resolve) => server.once("close", () => resolve(true)));
  for (;;) {
    const now = performance.now();
    if (now >= turns.acceptUntil && server.listening) stopAccepting(server);
    if (now >= turns.keepIdleUntil) server.closeIdleConnections();
    if (now >= turns.cutAt) server.closeAllConnections();
    if (await Promise.race([closed, delay(PASS_MS, false)])) return;
  }
}

/**
 * Only the listening socket. The close of an HTTP server would also close idle connections at once, and the
 * request that is on its way over one of them would meet a reset (nodejs/node#60617).
 */
function stopAccepting(server: HttpServer): void {
  Server.prototype.close.call(server);
}
