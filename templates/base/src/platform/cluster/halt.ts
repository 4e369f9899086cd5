import { canInherit } from "./listen-socket.ts";
import { CLOSE_TIMEOUT, QUICK_TIMEOUT } from "./messages.ts";
import { type Cluster, drain, kill, type StopMode } from "./state.ts";

const ORDER: StopMode[] = ["stop", "quick", "kill"];

/** What the next TERM, INT or QUIT means, given what the last one meant. */
export function nextStopMode(current: StopMode | undefined, signal: NodeJS.Signals): StopMode {
  if (current === undefined) return signal === "SIGTERM" ? "stop" : "quick";
  return ORDER[ORDER.indexOf(current) + 1] ?? "kill";
}

/**
 * Stops all workers. `stop` serves on for the deregistration delay and lets requests finish, `quick` gives them
 * two seconds, `kill` none. The primary's loop ends when the last worker is gone.
 * @param exitCode of the primary; the first one given stays.
 */
export function halt(cluster: Cluster, mode: StopMode, exitCode = 0): void {
  // Workers hold the socket too and accept until they close theirs; without ours gone, connections would
  // be queued for nobody after that.
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
