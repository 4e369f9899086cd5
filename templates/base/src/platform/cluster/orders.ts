/** `web` listens and answers; `background` does what integrations do beside the requests. */
export type Role = "web" | "background";

/** What the primary tells a worker before it starts. Times in seconds, memory in MiB. */
export interface WorkerOrders {
  worker: number;
  role: Role;
  title: string;
  backlog: number;
  deregistrationDelay: number;
  gracefulTimeout: number;
  keepAlive: number;
  /** 0: never. */
  maxRequests: number;
  /** 0: no limit. */
  workerMemoryLimit: number;
}

/** Set in a worker's environment, and only there. */
export const WORKER_VARIABLE = "CLUSTER_WORKER";

/** Is this process a worker? */
export function isWorker(env: NodeJS.ProcessEnv = process.env): boolean {
  return env[WORKER_VARIABLE] !== undefined;
}

/** Takes the orders out of the environment, so that a process which the worker starts is no worker. */
export function takeOrders(env: NodeJS.ProcessEnv = process.env): WorkerOrders {
  const orders = JSON.parse(env[WORKER_VARIABLE] ?? "null") as WorkerOrders;
  delete env[WORKER_VARIABLE];
  return orders;
}
