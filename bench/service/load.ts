import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Answered, Load } from "./load-process.ts";

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

let sender: ChildProcess | undefined;

/**
 * Sends requests over 32 kept connections for `seconds`, from a process of its own.
 * @param wholeContract whether each answer must have the headers of the contract.
 * @throws when a single request failed or was answered otherwise than expected.
 */
export async function load(
  port: number,
  { path, body, expected }: Request,
  seconds: number,
  wholeContract: boolean,
): Promise<LoadResult> {
  // One for all loads: its code is as fast in the last as in the first.
  sender ??= fork(join(import.meta.dirname, "load-process.ts")).on("exit", (code) => {
    if (code !== 0) throw new Error("the process that sends the load ended");
  });
  sender.send({ port, path, body, expected, seconds, wholeContract } satisfies Load);
  const [{ requests, p99Ms, wrong }] = (await once(sender, "message")) as [Answered];
  if (wrong !== undefined) throw new Error(`${path} on port ${port} went wrong: ${wrong}`);
  return { requests, p99Ms };
}

/** Ends the process that sends the load. */
export function endLoad(): void {
  sender?.disconnect();
}
