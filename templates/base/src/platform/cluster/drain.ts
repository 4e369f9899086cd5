import type { Server as HttpServer } from "node:http";
import { Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type DrainMode, QUICK_TIMEOUT } from "./messages.ts";
import type { WorkerOrders } from "./orders.ts";
import type { WorkerService } from "./service.ts";

/** The end of a worker's service, without a lost request. */
export interface Drain {
  /** Begins, or shortens what has begun. */
  begin(mode: DrainMode): void;
  /** Resolves when no connection is left. */
  finished: Promise<void>;
}

/** The turns of a drain, in milliseconds of performance.now(). */
interface Turns {
  /** New connections are accepted until then. */
  stopAccepting: number;
  /** Idle connections are left open until then, to come back once and hear `Connection: close`. */
  closeIdle: number;
  /** Whatever is still open is cut. */
  cut: number;
}

const PASS_MS = 100;

/** Prepares the drain of `service`; nothing happens until `begin`. */
export function createDrain(service: WorkerService, orders: WorkerOrders): Drain {
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  const turns: Turns = { stopAccepting: Infinity, closeIdle: Infinity, cut: Infinity };
  let begun = false;
  return {
    finished,
    begin(mode) {
      bringForward(turns, turnsOf(mode, orders));
      service.beginDrain({ stopping: mode !== "replace" });
      if (begun) return;
      begun = true;
      void run(service.server, turns).then(resolve);
    },
  };
}

function turnsOf(mode: DrainMode, { deregistrationDelay, gracefulTimeout }: WorkerOrders): Turns {
  const now = performance.now();
  const delayMs = deregistrationDelay * 1_000;
  const graceMs = gracefulTimeout * 1_000;
  if (mode === "quick") {
    return { stopAccepting: now, closeIdle: now, cut: now + QUICK_TIMEOUT * 1_000 };
  }
  if (mode === "replace") {
    return { stopAccepting: now, closeIdle: now + Math.min(delayMs, graceMs), cut: now + graceMs };
  }
  return { stopAccepting: now + delayMs, closeIdle: now + delayMs, cut: now + delayMs + graceMs };
}

function bringForward(turns: Turns, sooner: Turns): void {
  turns.stopAccepting = Math.min(turns.stopAccepting, sooner.stopAccepting);
  turns.closeIdle = Math.min(turns.closeIdle, sooner.closeIdle);
  turns.cut = Math.min(turns.cut, sooner.cut);
}

async function run(server: HttpServer, turns: Turns): Promise<void> {
  const closed = new Promise<true>((resolve) => server.once("close", () => resolve(true)));
  for (;;) {
    const now = performance.now();
    if (now >= turns.stopAccepting && server.listening) stopAccepting(server);
    if (now >= turns.closeIdle) server.closeIdleConnections();
    if (now >= turns.cut) server.closeAllConnections();
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
