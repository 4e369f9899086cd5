/**
 * The service under test. Only `url` is needed; what depends on anything else is reported as "not checked"
 * when it is missing.
 */
export interface Target {
  /** Where the business routes are served: `http://127.0.0.1:8000`. */
  url: string;
  /** The metrics port: `http://127.0.0.1:8080`. */
  metricsUrl?: string;
  /** A POST route that takes JSON, and a body that it accepts. */
  jsonRoute?: { path: string; valid: object };
  /** False: nothing may be tried that could take the service down. */
  destructive?: boolean;
  /** Routes of the service that misbehave on purpose. */
  probes?: Probes;
  /** What the service wrote to standard output so far, by line. */
  output?: () => Promise<string[]>;
  /** Starts one more process group of the same service. */
  launch?: Launch;
  /** All that the service depends on. */
  dependencies?: Dependency[];
}

/** An outside system that can be taken away from the service and given back. */
export interface Dependency {
  /** As in the answer of /health/ready. */
  name: string;
  critical: boolean;
  stop: () => Promise<void>;
  start: () => Promise<void>;
}

/** Routes made for the suite, because a sound service has none like them. */
export interface Probes {
  /** GET: each throws, in its own way, something whose text contains `secret`. */
  failing: string[];
  /** GET: answers what its schema does not allow, and that contains `secret`. */
  brokenResponse: string;
  /** DELETE, declares no body: answers 200. */
  bodiless: string;
  /** POST, no body: blocks its process for ever. */
  hanging: string;
  /** POST `{"url":"…"}`: calls it with GET, and answers 200 when it has answered. */
  calling: string;
  secret: string;
}

export type Launch = (options?: LaunchOptions) => Promise<Instance>;

/** How a further instance differs from the target. */
export interface LaunchOptions {
  /** The standard's own settings, by the name of their environment variable. */
  environment?: Record<string, string>;
  /** The text of the file `.env` in its working directory. */
  dotEnv?: string;
  /** Number of workers; left out: what the service does by itself. */
  workers?: number;
  /** Seconds after which a silent worker is killed. */
  hangTimeout?: number;
  /** Seconds for which it goes on serving after TERM. */
  drainDelay?: number;
  /** Seconds that requests in flight get to finish. */
  gracefulTimeout?: number;
  /** Let its standard output be a pipe that is read so slowly that it is full under load. */
  slowOutput?: boolean;
  /** Return at once, not when the service is ready. */
  atOnce?: boolean;
}

/** A running instance that belongs to one check. */
export interface Instance {
  url: string;
  metricsUrl: string;
  /** The main process, which takes the signals. */
  pid: number;
  /** Lines of standard output so far. */
  output: () => Promise<string[]>;
  /** Everything it wrote to either stream so far. */
  allOutput(): string;
  /** The processes that serve requests now. */
  workerPids(): number[];
  signal(signal: NodeJS.Signals): void;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends it, by force, and waits for that. */
  stop(): Promise<void>;
}
