import type { Logger } from "../logging.ts";
import type { Drain } from "./drain.ts";

/**
 * An exception that nobody caught (or a rejection, which Node turns into one) ends the process with exit code 1.
 * A worker's other requests that are in flight get the two seconds of a quick stop; a second exception ends that.
 * @param drain the worker's, once it serves.
 */
export function exitOnFatal(log: Logger, drain: () => Drain | undefined): void {
  let dying = false;
  process.on("uncaughtException", (error, origin) => {
    log.fatal({ error, origin, worker_pid: process.pid }, "uncaught exception: the process exits");
    const serving = drain();
    if (dying || serving === undefined) process.exit(1);
    dying = true;
    void leave(serving);
  });
}

async function leave(drain: Drain): Promise<never> {
  drain.begin("quick");
  await drain.finished;
  process.exit(1);
}
