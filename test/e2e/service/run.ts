import { readFileSync } from "node:fs";

import { launcherOf } from "../../contract/service/launch.ts";
import type { Instance, LaunchOptions } from "../../../src/verify/target.ts";
import { until } from "../until.ts";

/** A service that runs as in production: a primary, two workers and the process for background work. */
export interface Service extends AsyncDisposable {
  url: string;
  metricsUrl: string;
  /** The processes that serve requests. */
  workerPids: () => number[];
  /** Its log so far. */
  lines: () => Promise<LogLine[]>;
  ready: () => Promise<{ status: number; checks: Record<string, string> }>;
  /** What /health/ready of the metrics port says of the consumers. */
  backgroundHealth: () => Promise<string | undefined>;
  /** Waits until /health/ready answers 200. */
  untilReady: () => Promise<void>;
  signal: (signal: NodeJS.Signals) => void;
  exited: Instance["exited"];
  /** All its processes at once, as when the machine loses power. */
  kill: () => Promise<void>;
}

export interface LogLine {
  level: string;
  message: string;
  [field: string]: unknown;
}

/** Starts a built service. It may be unready for as long as something is down that it needs. */
export async function startService(
  directory: string,
  environment: Record<string, string>,
  options: LaunchOptions = {},
): Promise<Service> {
  const instance = await launcherOf(directory)({ workers: 2, ...options, environment });
  const { url, metricsUrl, exited } = instance;
  const ready: Service["ready"] = async () => {
    const response = await fetch(`${url}/health/ready`);
    const { checks } = (await response.json()) as { checks: Record<string, string> };
    return { status: response.status, checks };
  };
  return {
    ...{ url, metricsUrl, exited, ready },
    workerPids: () => instance.workerPids(),
    signal: (name) => instance.signal(name),
    lines: async () => (await instance.output()).map((line) => JSON.parse(line) as LogLine),
    backgroundHealth: async () => {
      const response = await fetch(`${metricsUrl}/health/ready`);
      const { checks } = (await response.json()) as { checks: Record<string, string> };
      return checks["kafka_background"];
    },
    untilReady: async () => {
      await until("a ready service", async () => (await ready()).status === 200);
    },
    kill: () => instance.stop(),
    [Symbol.asyncDispose]: () => instance.stop(),
  };
}

/** The most memory that a process has had so far, in bytes. */
export function peakMemory(pid: number): number {
  const [, kilobytes] =
    /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
