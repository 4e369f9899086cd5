import type { CommandResult, CommandRunner } from "../ports.ts";

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

/** Makes a repository with a first commit. Whatever is in the way is said, and never fails the run. */
export async function initRepository(
  commands: CommandRunner,
  cwd: string,
  signal: AbortSignal,
): Promise<GitOutcome> {
  const git = async (...args: string[]) => {
    const result = await commands.run("git", args, { cwd, env: OUTER_REPOSITORY, signal });
    signal.throwIfAborted();
    return result;
  };
  const inside = await git("rev-parse", "--is-inside-work-tree");
  if (!inside.found) {
    return { status: "skipped", reason: "git is not on this machine" };
  }
  if (inside.exitCode === 0) {
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

// Set when we run inside a git hook; they would point our commands at that repository.
const OUTER_REPOSITORY = {
  GIT_DIR: undefined,
  GIT_WORK_TREE: undefined,
  GIT_INDEX_FILE: undefined,
};

/** The blobs that a folder's repository has; none without git or a repository. */
export async function readBlobs(
  commands: CommandRunner,
  cwd: string,
  ids: readonly string[],
): Promise<Map<string, Uint8Array>> {
  const blobs = new Map<string, Uint8Array>();
  for (const id of ids) {
    const bytes = await commands.capture("git", ["cat-file", "blob", id], {
      cwd,
      env: OUTER_REPOSITORY,
    });
    if (bytes) {
      blobs.set(id, bytes);
    }
  }
  return blobs;
}
