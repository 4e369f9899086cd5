import type { ClusterOptions } from "./config.ts";
import { CLOSE_TIMEOUT } from "./messages.ts";

/** The numbers that must fit together. Times in seconds, memory in MiB. */
export interface Budgets {
  /** How long the platform waits between TERM and KILL: fsd.yml's stop_timeout. */
  stopTimeout: number;
  loadBalancerIdleTimeout: number;
  deregistrationDelay: number;
  gracefulTimeout: number;
  keepAlive: number;
  /** Workers, and the one for background work. */
  processes: number;
  /** Of each; undefined when V8 chooses. */
  heap: number | undefined;
  memory: number | undefined;
}

/** Seconds by which idle connections outlive the load balancer's, so that it never reuses a closing one. */
const KEEP_ALIVE_MARGIN = 5;

/** The keep-alive time in seconds: what is configured, or a margin above the load balancer's idle time-out. */
export function keepAliveFor(config: ClusterOptions, loadBalancerIdleTimeout: number): number {
  return config.keepAlive === "auto"
    ? loadBalancerIdleTimeout + KEEP_ALIVE_MARGIN
    : config.keepAlive;
}

/** One line for each pair of numbers that contradict each other, naming both. */
export function findContradictions(budgets: Budgets): string[] {
  const { stopTimeout, deregistrationDelay, gracefulTimeout, keepAlive, processes, heap, memory } =
    budgets;
  const problems: string[] = [];
  const needed = deregistrationDelay + gracefulTimeout + CLOSE_TIMEOUT;
  if (needed > stopTimeout) {
    problems.push(
      `STOP_TIMEOUT: the service is killed after ${stopTimeout} s, but a graceful stop takes up to ${needed} s ` +
        `(deregistrationDelay ${deregistrationDelay} + gracefulTimeout ${gracefulTimeout} + ${CLOSE_TIMEOUT} to close)`,
    );
  }
  if (keepAlive <= budgets.loadBalancerIdleTimeout) {
    problems.push(
      `KEEP_ALIVE: ${keepAlive} s must be above the load balancer's idle time-out of ` +
        `${budgets.loadBalancerIdleTimeout} s (LOAD_BALANCER_IDLE_TIMEOUT), or it reuses connections that are closing`,
    );
  }
  if (heap !== undefined && memory !== undefined && heap * processes > memory) {
    problems.push(
      `WEB_CONCURRENCY: ${processes} processes with a heap of ${Math.floor(heap)} MiB each need ` +
        `${Math.floor(heap * processes)} MiB, but the memory limit is ${Math.floor(memory)} MiB`,
    );
  }
  return problems;
}
