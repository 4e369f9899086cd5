import { defineCluster } from "./platform/cluster/config.ts";

/**
 * How this service's processes are run: what gunicorn.conf.py is to a Python service. Times are in seconds.
 * Every value can be overridden by the environment variable named beside it, without a new build.
 */
export default defineCluster({
  /** Worker processes. "auto": one per CPU of the ECS task or container, at least 1. WEB_CONCURRENCY */
  workers: "auto",

  /** The IP address to listen on; the port is the setting PORT. BIND */
  bind: "0.0.0.0",

  /** The IP address of the port METRICS_PORT; "": that of `bind`. METRICS_BIND */
  metricsBind: "",

  /** Connections that may wait to be accepted; the kernel's net.core.somaxconn caps it. BACKLOG */
  backlog: 2048,

  /**
   * A worker whose event loop is silent for this long is killed and replaced; its stack is logged first.
   * A slow request that waits (for a database, a timer) does not count: only a blocked loop does.
   * 0 turns it off, for a debugger. TIMEOUT
   */
  timeout: 120,

  /** How long a new worker may take until it is ready. BOOT_TIMEOUT */
  bootTimeout: 60,

  /** Requests in flight get this long to finish when a worker stops. GRACEFUL_TIMEOUT */
  gracefulTimeout: 30,

  /**
   * On TERM the service goes on serving for this long, "not ready" and with `Connection: close`, because the
   * load balancer needs a moment to stop sending. Skipped on a terminal and with ENVIRONMENT=dev, unless
   * the variable is set. DEREGISTRATION_DELAY
   */
  deregistrationDelay: 5,

  /** Idle connections are kept this long. "auto": LOAD_BALANCER_IDLE_TIMEOUT + 5, and it must be above it. KEEP_ALIVE */
  keepAlive: "auto",

  /** Connections that a worker has at the same time; others are closed at once. MAX_CONNECTIONS */
  maxConnections: 4_096,

  /** A request's headers must have arrived within this long. 0: never mind. HEADERS_TIMEOUT */
  headersTimeout: 30,

  /** And all of the request. 0: never mind. REQUEST_TIMEOUT */
  requestTimeout: 300,

  /** A client that stops reading its answer, or sending its body, is let go after this long. 0: never. STALL_TIMEOUT */
  stallTimeout: 30,

  /** A worker is replaced after this many requests, which hides slow leaks. 0: never. MAX_REQUESTS */
  maxRequests: 0,

  /** Up to this many more, drawn per worker, so that not all are replaced at once. MAX_REQUESTS_JITTER */
  maxRequestsJitter: 0,

  /**
   * A worker above this many MiB (resident) finishes its requests and is replaced, before the kernel kills it.
   * "auto": its share of the container's memory, less 15 %. 0: never. WORKER_MEMORY_LIMIT
   */
  workerMemoryLimit: "auto",

  /** Where the primary writes its process id. "": nowhere. PIDFILE */
  pidfile: "",

  /** The name in `ps`. "": the setting SERVICE_NAME. PROCESS_TITLE */
  processTitle: "",

  /** Functions that run when a process starts, is ready or exits; see ClusterHooks. `postFork` runs in the worker. */
  hooks: {},
});
