import { extname } from "node:path";
import { hasBackgroundWork } from "./integrations/settings.ts";
import { type ClusterOptions, readConfig } from "./platform/cluster/config.ts";
import { isWorker } from "./platform/cluster/orders.ts";
import { printStartError, StartError } from "./platform/cluster/start-error.ts";
import { createLogger } from "./platform/logging.ts";
import { SettingsError } from "./platform/settings.ts";
import { loadSettings, type Settings } from "./settings.ts";

/**
 * Runs a process of the service: the primary, which never loads the app, or a worker.
 * @param main - the module that runs this, in workers too.
 * @returns the exit code.
 */
export async function start(main: string): Promise<number> {
  try {
    return await run(main);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    printStartError(error);
    return 3;
  }
}

async function run(main: string): Promise<number> {
  const options = await loadOptions();
  const { config, problems } = readConfig(options, process.env);
  const settings = checkSettings(problems);
  const log = createLogger(settings);
  // Not as a flag: pino looks at its callers, and would have its own map read to name them.
  process.setSourceMapsEnabled(true);
  if (!isWorker()) {
    const { runPrimary } = await import("./platform/cluster/primary.ts");
    return runPrimary({
      main,
      background: hasBackgroundWork,
      settings,
      log,
      options,
      loadOptions,
    });
  }
  const { runWorker } = await import("./platform/cluster/worker.ts");
  return runWorker({
    log,
    port: settings.PORT,
    host: config.bind,
    postFork: options.hooks.postFork,
    start: async (role) =>
      role === "web"
        ? (await import("./worker.ts")).startService(settings, log)
        : (await import("./background.ts")).startBackground(settings, log),
  });
}

let reads = 0;

/** Reads cluster.config. From the second time on it is another module to Node, by a query, and so is read anew. */
async function loadOptions(): Promise<ClusterOptions> {
  // A number and not the time: V8's cache keeps a file for every name that there ever was.
  const query = reads === 0 ? "" : `?${reads}`;
  reads += 1;
  const file = `./cluster.config${extname(import.meta.filename)}${query}`;
  return (await import(new URL(file, import.meta.url).href)).default;
}

/** The settings; with what is wrong in them and in the cluster's configuration in one list. */
function checkSettings(problems: string[]): Settings {
  try {
    const settings = loadSettings();
    if (problems.length === 0) return settings;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    problems = [...error.problems, ...problems];
  }
  throw new StartError(problems);
}
