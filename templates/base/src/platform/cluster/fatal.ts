import type { Logger } from "../logging.ts";
import type { Drain } from "./drain.ts";

/**
 * An exception that nobody caught (or a rejection, which Node turns into one) ends the worker with exit code 1.
 * Requests of others that are in flight get the two seconds of a quick stop; a second exception ends that too.
 */
export function exitOnFatal(log: Logger, drain: Drain): void {
  let dying = false;
  process.on("uncaughtException", (error, origin) => {
    log.fatal({ error, origin, worker_pid: process.pid }, "uncaught exception: the worker exits");
    if (dying) process.exit(1);
    dying = true;
    void leave(drain);
  });
}

async function leave(drain: Drain): Promise<never> {
  drain.begin("quick");
  await drain.finished;
  process.exit(1);
}
