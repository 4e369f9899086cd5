import { quoteForShell } from "../answers/flags.ts";
import { UserError } from "../errors.ts";
import type { Tree } from "../plan/tree.ts";

/** The command that goes to the service's folder, unless the user is there. */
export function goThere(directory: string): string[] {
  return directory === "" ? [] : [`cd ${quoteForShell(directory)}`];
}

/** Commands that start the servers which a service needs, and did not need before; in memory it needs none. */
export function serverStarts(tree: Tree, before: Tree): string[] {
  return [...tree.keys()]
    .filter((path) => /^compose\/.+\.ya?ml$/.test(path) && !before.has(path))
    .map((path) => `docker compose --file ${path} up --detach   # not with IN_MEMORY=all in .env`);
}

/** How to go on after a failure: the commands that are left, of which the install comes first. */
export interface Continuation {
  /** Replaces the message of a mere "interrupted". */
  interrupted: string;
  /** Goes to the service's folder. */
  goThere: readonly string[];
  install: readonly string[];
  rest: readonly string[];
}

/** The same failure, when the files are already written: says so, and how to go on. */
export function withContinuation(
  error: UserError,
  { interrupted, goThere: there, install, rest }: Continuation,
): UserError {
  if (error.code === "INSTALL_FAILED" && error.hint === undefined) {
    // A command that has just failed is not repeated as advice.
    const then = rest.length > 0 ? `, then: ${[...there, ...rest].join(" && ")}` : "";
    const hint = `the files are written and whole; install again when that is fixed${then}`;
    return new UserError(error.code, error.message, hint);
  }
  const message = error.code === "INTERRUPTED" ? interrupted : error.message;
  const steps = [...there, ...install, ...rest].join(" && ");
  const hint = `${error.hint ? `${error.hint}; ` : ""}go on with: ${steps}`;
  return new UserError(error.code, message, hint);
}

/** The Node versions that the service's package.json names. */
export function nodeRangeOf(tree: Tree): string {
  const manifest = Buffer.from(tree.get("package.json")?.bytes ?? "{}").toString("utf8");
  return JSON.parse(manifest).engines?.node ?? "";
}
