import type { PackageManager } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import type { CommandRunner } from "../ports.ts";

/** The package manager that runs us, as npm, pnpm and yarn all say in the environment. */
export function runningPackageManager(
  userAgent: string | undefined,
  known: readonly { name: string }[],
): string | undefined {
  const name = userAgent?.split("/", 1)[0];
  return known.some((entry) => entry.name === name) ? name : undefined;
}

/** Installs the service's dependencies. */
export async function install(
  commands: CommandRunner,
  packageManager: PackageManager,
  cwd: string,
  signal: AbortSignal,
): Promise<void> {
  const [program = "", ...args] = packageManager.install.split(" ");
  const result = await commands.run(program, args, { cwd, env: OWN_SETTINGS, signal });
  signal.throwIfAborted();
  // A terminal sends Ctrl-C to both of us, and this may be heard of before our own.
  if (result.signal === "SIGINT") {
    throw new UserError("INTERRUPTED", "interrupted");
  }
  if (result.exitCode === 0) {
    return;
  }
  const hint = packageManager.setup && `\`${packageManager.setup}\` brings it`;
  throw result.found
    ? new UserError(
        "INSTALL_FAILED",
        `${packageManager.install} failed (${endingOf(result.exitCode)}):\n${lastLines(result.output)}`,
      )
    : new UserError("INSTALL_FAILED", `${program} is not on this machine`, hint || undefined);
}

/** How a command ended, in words. */
export function endingOf(exitCode: number | undefined): string {
  return exitCode === undefined ? "ended by a signal" : `exit code ${exitCode}`;
}

/** The end of a long output, which is where tools say what went wrong. */
export function lastLines(output: string, count = 15): string {
  return output.trimEnd().split("\n").slice(-count).join("\n");
}

// What npm tells the script that runs us is about the project that it runs in, not about the service.
const OWN_SETTINGS: Record<string, string | undefined> = {
  INIT_CWD: undefined,
  NODE_ENV: undefined,
  npm_command: undefined,
  npm_config_local_prefix: undefined,
  npm_config_loglevel: undefined,
  npm_config_omit_lockfile_registry_resolved: undefined,
  npm_lifecycle_event: undefined,
  npm_lifecycle_script: undefined,
  npm_package_json: undefined,
  npm_package_name: undefined,
  npm_package_version: undefined,
};
