import { commands } from "../../src/system/commands.ts";
import { network } from "../../src/system/network.ts";

/** A built service that runs as in production, with its ports and its log. */
export interface RunningService {
  api: string;
  metrics: string;
  log: string[];
  /** Stops it as the platform does, and gives its exit code. */
  stop: () => Promise<number | undefined>;
}

/**
 * Starts a built service, and waits until it is ready.
 * @param probe what then answers 200; `/health` for a service whose dependencies are not there.
 */
export async function startBuilt(
  directory: string,
  env: Record<string, string> = {},
  probe = "/health/ready",
): Promise<RunningService> {
  const [port, metricsPort] = await network.freePorts(2);
  const log: string[] = [];
  const running = commands.start("node", ["dist/main.js"], {
    cwd: directory,
    env: { ENVIRONMENT: "dev", PORT: String(port), METRICS_PORT: String(metricsPort), ...env },
    onLine: (line) => log.push(line),
  });
  const api = `http://127.0.0.1:${port}`;
  let over = false;
  void running.ended.then(() => (over = true));
  while ((await network.request("GET", `${api}${probe}`))?.status !== 200) {
    if (over) {
      throw new Error(`the service did not start:\n${log.join("\n")}`);
    }
    await network.wait(50, new AbortController().signal);
  }
  return {
    api,
    metrics: `http://127.0.0.1:${metricsPort}`,
    log,
    stop: async () => {
      running.stop("SIGTERM");
      return (await running.ended).exitCode;
    },
  };
}
