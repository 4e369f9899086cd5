import { extname, join } from "node:path";
import net from "node:net";
import type { ClusterOptions } from "./platform/cluster/config.ts";
import type { Settings } from "./settings.ts";

// The first lines must load on any Node, so that an old one is told what is missing.
if (!("BoundSocket" in net)) {
  process.stderr.write(
    `error: this service needs Node.js 26.4 or newer, or 24.21 or newer in the 24 line; this is ${process.version}\n`,
  );
  process.exit(3);
}

// What V8 makes of the code is kept beside it: the next start need not compile it again. The image is built with it.
if (import.meta.filename.endsWith(".js")) {
  process.getBuiltinModule("node:module").enableCompileCache(join(import.meta.dirname, ".cache"));
}

const { isWorker } = await import("./platform/cluster/orders.ts");
const { printStartError, StartError } = await import("./platform/cluster/start-error.ts");
const { readConfig } = await import("./platform/cluster/config.ts");
const { SettingsError } = await import("./platform/settings.ts");
const { hasBackgroundWork } = await import("./integrations/settings.ts");
const { loadSettings } = await import("./settings.ts");
const { createLogger } = await import("./platform/logging.ts");

try {
  process.exit(await run());
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  printStartError(error);
  process.exit(3);
}

/** The same file runs as primary and as worker. The primary never loads the app. */
async function run(): Promise<number> {
  const options = await loadOptions();
  const { config, problems } = readConfig(options, process.env);
  const settings = checkSettings(problems);
  const log = createLogger(settings);
  // Not as a flag: pino looks at its callers, and would have its own map read to name them.
  process.setSourceMapsEnabled(true);
  if (!isWorker()) {
    const { runPrimary } = await import("./platform/cluster/primary.ts");
    return runPrimary({
      main: import.meta.filename,
      background: hasBackgroundWork,
      settings,
      log,
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

/** Reads cluster.config anew at every call: the query makes it another module to Node. */
async function loadOptions(): Promise<ClusterOptions> {
  const file = `./cluster.config${extname(import.meta.filename)}?${Date.now()}`;
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
