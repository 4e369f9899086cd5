import { setTimeout as delay } from "node:timers/promises";

import { Violation } from "./check.ts";
import { waitingSignal } from "./wire/exchange.ts";

// The end of waiting for what will never happen; a sound service is done within seconds.
const PATIENCE_MS = 90_000;
const PAUSE_MS = 50;

/** Asks again and again until there is an answer. @throws {Violation} when there never is. */
export async function eventually<Found>(
  what: string,
  ask: () => Found | undefined | Promise<Found | undefined>,
): Promise<Found> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Violation(`${what}: never seen`);
    await delay(PAUSE_MS, undefined, { signal: waitingSignal() });
  }
}
