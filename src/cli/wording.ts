import { InternalError, UserError } from "../errors.ts";
import type { Tree } from "../plan/tree.ts";
import type { CreatePlan } from "./create.ts";

/** The size of all files. */
export function bytesOf(tree: Tree): number {
  return [...tree.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** As in "84 files, 312.4 kB". */
export function sizeOf(tree: Tree): string {
  return `${tree.size} files, ${kilobytes(bytesOf(tree))}`;
}

function kilobytes(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}

/** As in "240 ms" or "6.2 s". */
export function durationOf(milliseconds: number): string {
  return milliseconds < 1000
    ? `${Math.round(milliseconds)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** The files as an indented tree, each with its size. */
export function treeLines(tree: Tree): string[] {
  const paths = [...tree.keys()];
  const width = Math.max(...paths.map((path) => path.length)) + 2;
  let above: string[] = [];
  return paths.flatMap((path) => {
    const parts = path.split("/");
    const folders = parts.slice(0, -1);
    const known = folders.findIndex((part, index) => part !== above[index]);
    const opened = known === -1 ? [] : folders.slice(known);
    above = folders;
    const size = kilobytes(tree.get(path)?.bytes.length ?? 0);
    const indent = "  ".repeat(folders.length + 1);
    return [
      ...opened.map((part, index) => `${"  ".repeat(known + index + 1)}${part}/`),
      `${`${indent}${parts.at(-1)}`.padEnd(width)} ${size.padStart(9)}`,
    ];
  });
}

/** What will be made, as pairs of a word and its value. */
export function summaryRows({ answers, ...plan }: CreatePlan): [key: string, value: string][] {
  const then = [
    ...(plan.install ? [plan.packageManager.install] : []),
    ...(plan.git ? ["git init with a first commit"] : []),
    ...(plan.verify ? ["a check that it builds, boots and answers"] : []),
  ];
  return [
    ["service", answers.name],
    ["description", answers.description.replaceAll("\n", " ")],
    ["team", answers.team],
    ["framework", answers.framework],
    ["ports", `${answers.port}, metrics on ${answers.metricsPort}`],
    ["integrations", answers.integrations.join(", ") || "none"],
    ["folder", `${plan.directory} (${sizeOf(plan.tree)})`],
    ["then", then.join(", ") || "nothing"],
  ];
}

/** An error for the reader: what went wrong and what to do. */
export function describeError(error: unknown): { code: string; message: string; hint?: string } {
  if (error instanceof UserError) {
    const { code, message, hint } = error;
    return { code, message, ...(hint !== undefined && { hint }) };
  }
  return {
    code: error instanceof InternalError ? "INTERNAL" : "UNEXPECTED",
    message: `this is a bug in create-fetch-service\n${traceOf(error)}`,
    hint: "please report it, with the lines above, where you got create-fetch-service from",
  };
}

function traceOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const cause = error.cause === undefined ? "" : `\ncaused by ${traceOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

/**
 * The same failure, when files are written already: that they are whole, and how to go on.
 * @param interrupted what is said in the place of a mere "interrupted".
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

/** Commands that start the servers which a service needs, and did not need before. */
export function serverStarts(tree: Tree, before: Tree = new Map()): string[] {
  return [...tree.keys()]
    .filter((path) => /^compose\/.+\.ya?ml$/.test(path) && !before.has(path))
    .map((path) => `docker compose --file ${path} up --detach`);
}
