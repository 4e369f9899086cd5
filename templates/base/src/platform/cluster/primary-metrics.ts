import { Counter, Gauge, Registry } from "@prometheus-io/client";
import { alive, type Cluster } from "./state.ts";

/** The process manager's own metrics. */
export interface PrimaryMetrics {
  registry: Registry;
  restarts: Counter<"reason">;
  hangs: Counter;
  reloads: Counter<"result">;
  /** Brings the gauges up to date, for a scrape. */
  observe(cluster: Cluster): void;
}

export function createPrimaryMetrics(): PrimaryMetrics {
  const registry = new Registry();
  const registers = [registry];
  const workers = new Gauge({
    name: "cluster_workers",
    help: "Worker processes by phase.",
    labelNames: ["phase"],
    registers,
  });
  const desired = new Gauge({
    name: "cluster_workers_desired",
    help: "Worker processes that there should be.",
    registers,
  });
  const age = new Gauge({
    name: "cluster_worker_heartbeat_age_seconds",
    help: "Time since the last sign of life of a ready worker.",
    labelNames: ["worker"],
    registers,
  });
  return {
    registry,
    restarts: new Counter({
      name: "cluster_worker_restarts_total",
      help: "Workers that ended and were replaced, by reason.",
      labelNames: ["reason"],
      registers,
    }),
    hangs: new Counter({
      name: "cluster_worker_hangs_total",
      help: "Workers killed because their event loop was silent for the timeout.",
      registers,
    }),
    reloads: new Counter({
      name: "cluster_reloads_total",
      help: "Reloads and rolling restarts, by result.",
      labelNames: ["result"],
      registers,
    }),
    observe(cluster) {
      const now = performance.now();
      for (const phase of ["booting", "ready", "draining", "killed"] as const) {
        const count = [...cluster.workers].filter((worker) => worker.phase === phase).length;
        workers.set({ phase }, count);
      }
      const pools = Object.values(cluster.pools);
      desired.set(pools.reduce((sum, pool) => sum + pool.desired, 0));
      age.reset();
      for (const worker of alive(cluster)) {
        if (worker.wasReady) age.set({ worker: worker.slot }, (now - worker.lastBeatAt) / 1_000);
      }
    },
  };
}
