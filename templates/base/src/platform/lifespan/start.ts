import { isatty } from "node:tty";
import { type ClusterOptions, readConfig } from "../cluster/config.ts";
import { isWorker } from "../cluster/protocol.ts";
import type { ServiceDeps } from "../lifespan.ts";
import { createLogger } from "../logging.ts";
import { SettingsError } from "../settings.ts";
import type { BackgroundModules, WebModules } from "./worker.ts";

/** What src/main.ts hands to the platform: the service's own modules, each loaded by the process that needs it. */
export interface ServiceModules extends WebModules, BackgroundModules {
  /** The file that runs this, in workers too. */
  main: string;
  /** Reads cluster.config. To Node, another query is another module, and so is read again. */
  clusterConfig(query: string): Promise<ClusterOptions>;
  settings(): Promise<{ loadSettings(): ServiceDeps["settings"] }>;
  integrationSettings(): Promise<{
    hasBackgroundWork: boolean;
    secretSources?: Record<string, (env: NodeJS.ProcessEnv) => Promise<void>>;
  }>;
}

/**
 * Runs a process of the service: the primary, or a worker.
 * @returns the exit code.
 */
export async function start(modules: ServiceModules): Promise<number> {
  try {
    return await run(modules);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    printStartError(error);
    return 3;
  }
}

async function run(modules: ServiceModules): Promise<number> {
  let reads = 0;
  // A number and not the time: V8's cache keeps a file for every name that there ever was.
  const loadOptions = (): Promise<ClusterOptions> =>
    modules.clusterConfig(reads++ === 0 ? "" : `?${reads - 1}`);
  const options = await loadOptions();
  const { problems } = readConfig(options, process.env);
  const { hasBackgroundWork, secretSources = {} } = await modules.integrationSettings();
  // Once: the workers inherit them.
  if (!isWorker()) await Promise.all(Object.values(secretSources).map((read) => read(process.env)));
  const { loadSettings } = await modules.settings();
  const settings = checkSettings(loadSettings, problems);
  const log = createLogger(settings);
  // At run time and not as a flag: with it, Node would parse our source map at every start.
  process.setSourceMapsEnabled(true);
  // What is in memory is in one process only, and development is easier to follow in one: its worker does all the work.
  const alone = settings.IN_MEMORY.length > 0 || process.env["ONE_PROCESS"] === "true";
  if (alone) process.env["WEB_CONCURRENCY"] = "1";
  if (!isWorker()) {
    const { runPrimary } = await import("../cluster/primary.ts");
    return runPrimary({
      main: modules.main,
      background: hasBackgroundWork && !alone,
      settings,
      log,
      options,
      loadOptions,
    });
  }
  const { runWorker } = await import("../cluster/worker.ts");
  return runWorker({
    log,
    port: settings.PORT,
    postFork: options.hooks.postFork,
    start: async (role) => {
      const { startBackground, startWeb } = await import("./worker.ts");
      if (role === "background") return startBackground(modules, settings, log);
      return startWeb(modules, settings, log, { ...(alone && (await modules.integrations())) });
    },
  });
}

/** The settings; what is wrong in them and in the cluster's configuration comes in one list. */
function checkSettings(
  loadSettings: () => ServiceDeps["settings"],
  problems: string[],
): ServiceDeps["settings"] {
  try {
    const settings = loadSettings();
    if (settings.IN_MEMORY.length > 0 && settings.ENVIRONMENT !== "dev") {
      problems.push(`IN_MEMORY: is for development, and ENVIRONMENT is ${settings.ENVIRONMENT}`);
    }
    if (problems.length === 0) return settings;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    problems = [...error.problems, ...problems];
  }
  throw new SettingsError(problems);
}

/** Reports the problems before there is a logger: to a person as text, to the log pipeline as one JSON line. */
export function printStartError({ problems }: SettingsError): void {
  const list = problems.map((problem) => `  - ${problem}`).join("\n");
  const message = `the service cannot start:\n${list}`;
  if (isatty(2)) {
    process.stderr.write(`error: ${message}\n`);
    return;
  }
  const timestamp = new Date().toISOString();
  process.stdout.write(`${JSON.stringify({ timestamp, level: "fatal", message, problems })}\n`);
}
