import { AsyncLocalStorage } from "node:async_hooks";

/** The last thing that a check sent, and what came back. */
export interface Exchange {
  sent: string;
  came: string;
}

/** What surrounds a check while it runs. */
interface Watched {
  exchange: Exchange;
  /** Ends its waiting. */
  signal: AbortSignal | undefined;
}

const LONGEST = 600;
const watched = new AsyncLocalStorage<Watched>();

/** Runs `work`, and notes in `exchange` what it sends and what comes. It waits no longer once `signal` is aborted. */
export function watch<Result>(
  exchange: Exchange,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  return watched.run({ exchange, signal }, work);
}

/** Ends the waiting of the check that runs here. */
export function waitingSignal(): AbortSignal | undefined {
  return watched.getStore()?.signal;
}

/** Notes bytes as they went over the wire, for a check that is watched. */
export function noteExchange(sent: readonly Buffer[], came: Buffer | string): void {
  const exchange = watched.getStore()?.exchange;
  if (!exchange) return;
  exchange.sent = shorten(Buffer.concat(sent));
  exchange.came = typeof came === "string" ? came : shorten(came);
}

/** The start of what was sent is enough, and some bodies are of many megabytes. */
export function startOf(data: string | Uint8Array): Buffer {
  return Buffer.from(data.slice(0, LONGEST + 1) as string);
}

function shorten(bytes: Buffer): string {
  const text = bytes.toString("utf8", 0, LONGEST);
  return bytes.length <= LONGEST ? text : `${text}…`;
}
