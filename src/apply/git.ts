import { dirname, join } from "node:path";

import type { CommandResult, CommandRunner, FileSystem } from "../ports.ts";

/** What became of the repository, and, if there is none, why. */
export type GitOutcome =
  | { status: "committed" }
  | { status: "initialised"; reason: string }
  | { status: "skipped"; reason: string };

const FIRST_COMMIT = "feat: create the service";

/** What a user types to do the same. */
export const GIT_COMMANDS = [
  "git init --initial-branch=main",
  "git add --all",
  `git commit --message "${FIRST_COMMIT}"`,
];

/** Makes a repository with a first commit. What prevents it is reported, and never fails the run. */
export async function initRepository(
  commands: CommandRunner,
  cwd: string,
  signal: AbortSignal,
): Promise<GitOutcome> {
  const git = async (...args: string[]) => {
    const result = await commands.run("git", args, { cwd, env: HARMLESS, signal });
    signal.throwIfAborted();
    return result;
  };
  const inside = await git("rev-parse", "--is-inside-work-tree");
  if (!inside.found) {
    return { status: "skipped", reason: "git is not on this machine" };
  }
  if (inside.exitCode === 0 && !(await isIgnored(commands, cwd, cwd, signal))) {
    return { status: "skipped", reason: "this is already inside a repository" };
  }
  const started = await firstFailure(git, [
    ["init", "--initial-branch=main"],
    ["add", "--all"],
  ]);
  if (started) {
    return { status: "skipped", reason: reasonOf(started) };
  }
  // Without useConfigOnly, git would make up an identity from the machine's name.
  const identity = await git("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT");
  if (identity.exitCode !== 0) {
    return { status: "initialised", reason: "git has no user.name and user.email to commit with" };
  }
  // A signature could ask for a passphrase, and hooks are made for a team's own repositories.
  const unattended = ["-c", "commit.gpgSign=false", "commit", "--quiet", "--no-verify"];
  const failed = await firstFailure(git, [[...unattended, "--message", FIRST_COMMIT]]);
  return failed ? { status: "initialised", reason: reasonOf(failed) } : { status: "committed" };
}

/** Finds the repository that a new folder will be in: the nearest above it that does not ignore it. */
export async function findRepository(
  { fs, commands, signal }: { fs: FileSystem; commands: CommandRunner; signal: AbortSignal },
  folder: string,
): Promise<string | undefined> {
  for (let above = folder; ; above = dirname(above)) {
    if ((await fs.kindOf(join(above, ".git"))) !== "nothing") {
      const ignored = above !== folder && (await isIgnored(commands, above, folder, signal));
      return ignored ? undefined : above;
    }
    if (dirname(above) === above) {
      return undefined;
    }
  }
}

/** Whether a repository ignores a folder, as one of a home folder's settings does. */
async function isIgnored(
  commands: CommandRunner,
  cwd: string,
  folder: string,
  signal: AbortSignal,
): Promise<boolean> {
  const args = ["check-ignore", "--quiet", "--no-index", folder];
  const result = await commands.run("git", args, { cwd, env: HARMLESS, signal });
  signal.throwIfAborted();
  return result.exitCode === 0;
}

async function firstFailure(
  git: (...args: string[]) => Promise<CommandResult>,
  steps: readonly string[][],
): Promise<CommandResult | undefined> {
  for (const args of steps) {
    const result = await git(...args);
    if (result.exitCode !== 0) {
      return result;
    }
  }
  return undefined;
}

function reasonOf(result: CommandResult): string {
  return `git said: ${result.output.trim().split("\n").at(-1) ?? ""}`;
}

// `git rev-parse --local-env-vars` lists them: inside a git hook they point at that hook's repository.
const OUTER_REPOSITORY = [
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_CONFIG",
  "GIT_CONFIG_PARAMETERS",
  "GIT_DIR",
  "GIT_GRAFT_FILE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_INTERNAL_SUPER_PREFIX",
  "GIT_NAMESPACE",
  "GIT_NO_REPLACE_OBJECTS",
  "GIT_OBJECT_DIRECTORY",
  "GIT_PREFIX",
  "GIT_REPLACE_REF_BASE",
  "GIT_SHALLOW_FILE",
  "GIT_WORK_TREE",
];

const CONFIG = Object.entries({
  "core.fsmonitor": "false",
  "core.hooksPath": "/dev/null",
  "gc.auto": "0",
  "maintenance.auto": "false",
});

/**
 * The environment of every call: a repository from a stranger can name programs in its configuration,
 * and objects that git would fetch from anywhere. None of our calls needs either.
 */
const HARMLESS: Record<string, string | undefined> = {
  ...Object.fromEntries(OUTER_REPOSITORY.map((name) => [name, undefined])),
  GIT_ALLOW_PROTOCOL: "none",
  GIT_NO_LAZY_FETCH: "1",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "true",
  GIT_EDITOR: "true",
  GIT_EXTERNAL_DIFF: undefined,
  GIT_PAGER: "cat",
  GIT_CONFIG_COUNT: String(CONFIG.length),
  ...Object.fromEntries(
    CONFIG.flatMap(([key, value], index) => [
      [`GIT_CONFIG_KEY_${index}`, key],
      [`GIT_CONFIG_VALUE_${index}`, value],
    ]),
  ),
};

/** The blobs that a folder's repository has; none without git or a repository. */
export async function readBlobs(
  commands: CommandRunner,
  cwd: string,
  ids: readonly string[],
): Promise<Map<string, Uint8Array>> {
  if (ids.length === 0) {
    return new Map();
  }
  const input = `${ids.join("\n")}\n`;
  const options = { cwd, env: HARMLESS, input };
  return parseBatch(await commands.capture("git", ["cat-file", "--batch"], options));
}

/** Reads `<id> blob <size>`, a line end, the bytes and a line end, again and again. */
function parseBatch(output: Uint8Array | undefined): Map<string, Uint8Array> {
  const blobs = new Map<string, Uint8Array>();
  const bytes = Buffer.from(output ?? []);
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf("\n", at);
    const [id = "", type, size = ""] = bytes.toString("utf8", at, end).split(" ");
    at = end + 1;
    // Of an unknown object there is only the line `<id> missing`.
    if (size !== "") {
      if (type === "blob") {
        blobs.set(id, bytes.subarray(at, at + Number(size)));
      }
      at += Number(size) + 1;
    }
  }
  return blobs;
}
