import { stripVTControlCharacters } from "node:util";

import type { PackageManager } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import type { CommandRunner } from "../ports.ts";

/** The package manager that runs us, as all of them say in npm_config_user_agent. */
export function runningPackageManager(
  userAgent: string | undefined,
  known: readonly { name: string }[],
): string | undefined {
  const [, agent, major] = /^([a-z]+)\/(\d+)/.exec(userAgent ?? "") ?? [];
  // Yarn 1 and its successors have little in common but the name.
  const name = agent === "yarn" && Number(major) > 1 ? "yarn4" : agent;
  return known.some((entry) => entry.name === name) ? name : undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The name of the script that runs us in a checkout, with flags of its own. */
const CREATE_SCRIPT = "create";

/** Whether a checkout's script runs us, which adds --verify of its own accord. */
export function isCreateScript(env: Environment): boolean {
  return env["npm_lifecycle_event"] === CREATE_SCRIPT && env["npm_command"] !== "exec";
}

/** The words with which the user can run us again, without installing anything first. */
export function ownCommand(env: Environment): string {
  if (isCreateScript(env)) {
    return "npm run create --";
  }
  const [, agent, major] = /^([a-z]+)\/(\d+)/.exec(env["npm_config_user_agent"] ?? "") ?? [];
  const runners: Record<string, string> = {
    npm: "npx",
    pnpm: "pnpm dlx",
    // Yarn 1 has no such command.
    yarn: Number(major) > 1 ? "yarn dlx" : "npx",
    bun: "bunx",
  };
  const runner = runners[agent ?? ""];
  return runner === undefined ? "create-fetch-service" : `${runner} create-fetch-service`;
}

/** The flags that npm took for its own, because they were typed without -- before them. */
export function swallowedFlags(env: Environment, flags: readonly string[]): string[] {
  if (!/^(?:init|exec|run|run-script)$/.test(env["npm_command"] ?? "")) {
    return [];
  }
  return flags.filter((flag) => {
    const [, no = "", name = ""] = /^--(no-)?(.+)$/.exec(flag) ?? [];
    const value = env[`npm_config_${name.replaceAll("-", "_")}`];
    return value !== undefined && (value === "") === (no !== "");
  });
}

/** What an install needs of the outside. */
export interface InstallTools {
  commands: CommandRunner;
  env: Environment;
  signal: AbortSignal;
}

/** Installs the service's dependencies. */
export async function install(
  { commands, env, signal }: InstallTools,
  packageManager: PackageManager,
  cwd: string,
): Promise<void> {
  const [program = "", ...args] = packageManager.install.split(" ");
  const result = await commands.run(program, args, { cwd, env: withoutRunner(env), signal });
  signal.throwIfAborted();
  // A terminal sends Ctrl-C to both of us, and the child may report it before we notice ours.
  if (result.signal === "SIGINT") {
    throw new UserError("INTERRUPTED", "interrupted");
  }
  if (result.exitCode === 0) {
    return;
  }
  const setup = packageManager.setup && `install it first: ${packageManager.setup}`;
  throw result.found
    ? new UserError(
        "INSTALL_FAILED",
        `${packageManager.install} failed (${endingOf(result.exitCode)}):\n${importantLines(result.output)}`,
      )
    : new UserError("INSTALL_FAILED", `${program} is not on this machine`, setup || undefined);
}

/** How a command ended, in words. */
export function endingOf(exitCode: number | undefined): string {
  return exitCode === undefined ? "ended by a signal" : `exit code ${exitCode}`;
}

/** The end of a long output, which is where tools say what went wrong. */
export function lastLines(output: string, count = 15): string {
  return output.trimEnd().split("\n").slice(-count).join("\n");
}

// As npm ("npm error code E404"), pnpm ("ERR_PNPM_…", "× …" and what hangs below it), Yarn ("error …", "➤ YN0035: …") and Node do.
const ERROR_LINE =
  /\b(?:error|ERR!)(?:[\s:]|$)|\bERR_[A-Z]|^\s*(?:[×├╰]|│\s*\S)|➤ YN0(?!000|002|004|007|013|060|085|086)\d{3}/i;
const NOISE = /A complete log of this run|npm error\s*$|yarn-error\.log/i;
const MOST = 15;

/** The lines of a package manager's output that say why it failed; the last ones if none stands out. */
export function importantLines(output: string): string {
  const lines = stripVTControlCharacters(output).split("\n");
  const important = lines.filter((line) => ERROR_LINE.test(line) && !NOISE.test(line));
  return important.length > 0
    ? important.slice(0, MOST).join("\n")
    : lastLines(stripVTControlCharacters(output), MOST);
}

// How to reach a registry, and how this machine is set up. All else that a package manager tells the
// programs it runs is about its own run or project: `global`, `workspace`, `dry_run`, `omit` and so on.
const KEPT_SETTINGS = new RegExp(
  `^p?npm_config_(?:${[
    ".*registry",
    "\\/\\/.*",
    "_auth.*",
    ".*proxy",
    "noproxy",
    "ca|cafile|cert|certfile|key|keyfile",
    "strict_ssl",
    "userconfig|globalconfig",
    ".*cache|.*store_dir",
    "fetch_.*|network_.*|maxsockets",
    "offline|prefer_offline|prefer_online",
    "ignore_scripts|min(?:imum)?_release_age",
    "audit|fund|python|node_gyp|nodedir",
  ].join("|")})$`,
  "i",
);

/**
 * The changes that take the package manager which runs us out of the environment, so that a child
 * works on the service, as if the user had typed its command there.
 */
export function withoutRunner(env: Environment): Record<string, string | undefined> {
  const removed = Object.keys(env).filter(
    (name) =>
      /^(?:p?npm_|INIT_CWD$|NODE_ENV$|BERRY_BIN_FOLDER$)/i.test(name) && !KEPT_SETTINGS.test(name),
  );
  // `yarn dlx` makes every Node below it load the packages of its own temporary project.
  const nodeOptions = env["NODE_OPTIONS"]
    ?.replaceAll(/(?:--require|--experimental-loader)[ =]\S*\.pnp\.(?:cjs|loader\.mjs)/g, "")
    .trim();
  return {
    ...Object.fromEntries(removed.map((name) => [name, undefined])),
    ...(nodeOptions !== env["NODE_OPTIONS"] && { NODE_OPTIONS: nodeOptions || undefined }),
  };
}
