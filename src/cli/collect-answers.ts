import { basename, delimiter, resolve } from "node:path";

import { ask } from "../answers/ask.ts";
import {
  checkAnswers,
  missingAnswers,
  parseAnswersFile,
  suggestName,
} from "../answers/complete.ts";
import { answersFromFlags, flagOf } from "../answers/flags.ts";
import { type Answers, defaultAnswers } from "../answers/schema.ts";
import { runningPackageManager, swallowedFlags } from "../apply/install.ts";
import { findTarget } from "../apply/target.ts";
import { findProgram } from "../apply/terminal-node.ts";
import type { Manifest } from "../catalog/manifest.ts";
import { messageOf, UserError } from "../errors.ts";
import type { CreateOptions } from "./command.ts";
import type { Host } from "./host.ts";

export interface Collected {
  answers: Answers;
  /** Somebody sat there and answered. */
  asked: boolean;
}

/** All answers: from the flags, then the file, then questions or the defaults. */
export async function collectAnswers(
  host: Host,
  manifest: Manifest,
  options: CreateOptions,
): Promise<Collected> {
  const given = { ...(await answersFile(host, manifest, options)), ...answersFromFlags(options) };
  const defaults = hostDefaults(host, manifest);
  // A bad answer is said before the first question, and not after the last one.
  checkAnswers(manifest, { name: "some-name", ...freePorts(defaults, given), ...given });
  const missing = missingAnswers(manifest, given);
  if (missing.length === 0) {
    return { answers: checkAnswers(manifest, given), asked: false };
  }
  if (host.interactive && !options.yes && !options.json) {
    const directory = options.directory ?? given.name;
    if (directory !== undefined) {
      // Before the first question, and not after the last one.
      await findTarget(host.fs, host.cwd, directory);
    }
    const answers = await ask({
      prompter: await host.prompter(),
      manifest,
      defaults: { ...defaults, name: suggestedName(host, options) },
      installed: await installedPrograms(host, manifest),
      answers: given,
      takenBy: (name) => problemWithPlace(host, options.directory ?? name),
    });
    return { answers: checkAnswers(manifest, answers), asked: true };
  }
  if (!options.yes || given.name === undefined) {
    const named = options.yes ? [flagOf("name")] : missing.map(flagOf);
    const isYesLost = !options.yes && swallowedFlags(host.env, ["--yes"]).length > 0;
    throw new UserError(
      "MISSING_ANSWERS",
      `nothing can be asked here, and these answers are missing: ${named.join(", ")}`,
      options.yes
        ? "give a name: create-fetch-service my-service --yes"
        : isYesLost
          ? "npm took --yes for itself: put -- before it"
          : "--yes takes defaults",
    );
  }
  return { answers: checkAnswers(manifest, { ...defaults, ...given }), asked: false };
}

/** A name after the folder that the service goes to. */
function suggestedName(host: Host, { directory = "my-service" }: CreateOptions): string {
  return suggestName(basename(resolve(host.cwd, directory))) ?? "my-service";
}

/** The package managers whose program is on this machine. */
async function installedPrograms({ fs, env }: Host, { packageManagers }: Manifest) {
  const folders = (env["PATH"] ?? env["Path"] ?? "").split(delimiter);
  const entries = packageManagers.map(async ({ name, install }) => {
    const [program = ""] = install.split(" ");
    return { name, installed: (await findProgram(fs, folders, program)) !== undefined };
  });
  const found = await Promise.all(entries);
  return new Set(found.filter(({ installed }) => installed).map(({ name }) => name));
}

async function answersFile(
  host: Host,
  manifest: Manifest,
  { answers: file }: CreateOptions,
): Promise<Partial<Answers>> {
  if (file === undefined) {
    return {};
  }
  if (file === "-") {
    return parseAnswersFile(manifest, await host.readInput());
  }
  try {
    const bytes = await host.fs.readFile(resolve(host.cwd, file));
    return parseAnswersFile(manifest, Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    if (error instanceof UserError) {
      throw error;
    }
    const hint = "name a JSON file with answers, or - for standard input";
    throw new UserError("USAGE", `--answers ${file}: ${messageOf(error)}`, hint);
  }
}

function hostDefaults(host: Host, manifest: Manifest): Omit<Answers, "name"> {
  const defaults = defaultAnswers(manifest);
  const running = runningPackageManager(
    host.env["npm_config_user_agent"],
    manifest.packageManagers,
  );
  return { ...defaults, packageManager: running ?? defaults.packageManager };
}

/** Defaults for a first check: a port that was given must not clash with one that is yet to come. */
function freePorts(defaults: Omit<Answers, "name">, given: Partial<Answers>) {
  return {
    ...defaults,
    ...(given.port === defaults.metricsPort && { metricsPort: defaults.metricsPort + 1 }),
    ...(given.metricsPort === defaults.port && { port: defaults.port + 1 }),
  };
}

async function problemWithPlace(host: Host, directory: string): Promise<string | undefined> {
  try {
    await findTarget(host.fs, host.cwd, directory);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
