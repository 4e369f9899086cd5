import { quoteForShell } from "../answers/flags.ts";
import { UserError } from "../errors.ts";
import type { Tree } from "../plan/tree.ts";

/** The command that goes to the service's folder, unless the user is there. */
export function goThere(directory: string): string[] {
  return directory === "" ? [] : [`cd ${quoteForShell(directory)}`];
}

/** Commands that start the servers which a service needs, and did not need before. */
export function serverStarts(tree: Tree, before: Tree = new Map()): string[] {
  return [...tree.keys()]
    .filter((path) => /^compose\/.+\.ya?ml$/.test(path) && !before.has(path))
    .map((path) => `docker compose --file ${path} up --detach`);
}

/**
 * The same failure, when the files are already written: says so, and how to go on.
 * @param interrupted replaces the message of a mere "interrupted".
 */
export function withContinuation(
  error: UserError,
  interrupted: string,
  command: string,
): UserError {
  const message = error.code === "INTERRUPTED" ? interrupted : error.message;
  const hint = `${error.hint ? `${error.hint}; ` : ""}go on with: ${command}`;
  return new UserError(error.code, message, hint);
}
