import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** The page that the requests come from. */
export const ORIGIN = "https://shop.example";

/** One kind of request, and the only answer that is right. */
export interface Request {
  name: string;
  path: string;
  /** File with the body; empty for a GET. */
  body: string;
  /** File with the answer's body. */
  expected: string;
}

export interface LoadResult {
  requests: number;
  /** Of the time from a request to its whole answer. */
  p99Ms: number;
}

/** What the process that sends the load is asked for. */
export interface Load extends Request {
  port: number;
  seconds: number;
  /** Whether each answer must have the headers of the contract. */
  wholeContract: boolean;
}

/** What it answers. */
export interface Answered extends LoadResult {
  /** The first answer that was not the right one, or what broke. */
  wrong?: string;
}

let sender: ChildProcess | undefined;

/**
 * Sends requests over 32 kept connections for `seconds`, from a process of its own.
 * @param wholeContract whether each answer must have the headers of the contract.
 * @throws when a single request failed or was answered otherwise than expected.
 */
export async function load(
  port: number,
  request: Request,
  seconds: number,
  wholeContract: boolean,
): Promise<LoadResult> {
  // One for all loads: its code is as fast in the last as in the first.
  sender ??= fork(join(import.meta.dirname, "load-process.ts")).on("exit", (code) => {
    if (code !== 0) throw new Error("the process that sends the load ended");
  });
  sender.send({ ...request, port, seconds, wholeContract } satisfies Load);
  const [{ requests, p99Ms, wrong }] = (await once(sender, "message")) as [Answered];
  if (wrong !== undefined) throw new Error(`${request.name} on port ${port} went wrong: ${wrong}`);
  return { requests, p99Ms };
}

/** Ends the process that sends the load. */
export function endLoad(): void {
  sender?.disconnect();
}
