import type { Answers } from "../answers/schema.ts";
import type { GitOutcome } from "../apply/git.ts";
import type { Target } from "../apply/target.ts";
import type { Verification } from "../apply/verify.ts";
import type { Example, PackageManager } from "../catalog/manifest.ts";
import type { Conflict } from "../plan/plan.ts";
import type { Tree } from "../plan/tree.ts";
import { goThere, nodeRangeOf } from "./next-steps.ts";
import { durationOf, type Report } from "./report.ts";

/** What `create` is going to make, and what it does with it afterwards. */
export interface CreatePlan {
  answers: Answers;
  target: Target;
  /** The target as the user would type it. */
  directory: string;
  tree: Tree;
  /** What to know and to do about the repository or workspace around it. */
  notes: string[];
  steps: string[];
  packageManager: PackageManager;
  /** What its integrations are verified with. */
  examples: readonly Example[];
  install: boolean;
  git: boolean;
  /** The user asked for a repository, rather than leaving it to the default. */
  gitWanted: boolean;
  verify: boolean;
  /** The command line that makes the same without a question. */
  command: string;
}

/** What was done after the files were written. */
export interface CreateResult {
  installed: boolean;
  git: GitOutcome;
  verified: Verification | undefined;
  /** Why not all of it was done. The service is there all the same. */
  failure?: { error: unknown };
}

/** Tells the user about the making of a service. */
export class CreateReport {
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  progress<Result>(title: string, work: () => Promise<Result>): Promise<Result> {
    return this.#report.progress(title, work);
  }

  /** The answer to --dry-run. */
  plan(plan: CreatePlan): void {
    if (this.#report.json) {
      this.#report.document({
        plan: {
          directory: plan.target.folder,
          answers: plan.answers,
          command: plan.command,
          files: [...plan.tree].map(([path, { bytes, mode, owner }]) => ({
            path,
            bytes: bytes.length,
            executable: mode === 0o755,
            owner,
          })),
        },
      });
      return;
    }
    this.#report.line(`${plan.directory || "."}/`);
    treeLines(plan.tree).forEach((line) => this.#report.line(line));
    this.#report.line(`${sizeOf(plan.tree)}; nothing was written`);
  }

  /** What will be made, before the last question. */
  summary(plan: CreatePlan): void {
    this.#report.line();
    summaryRows(plan).forEach(([key, value]) => this.#report.row(key, value));
    this.#report.line();
  }

  written(plan: CreatePlan, conflicts: readonly Conflict[]): void {
    this.#report.good(`Wrote ${plan.directory || "."}: ${sizeOf(plan.tree)}`);
    plan.notes.forEach((note) => this.#report.line(`- ${note}`));
    for (const { path, message, beside } of conflicts) {
      this.#report.bad(`${path}: ${message}`);
      if (beside !== undefined) {
        this.#report.line(`    the template's version is in ${beside}; make one of the two`);
      }
    }
  }

  repository(outcome: GitOutcome): void {
    if (outcome.status === "committed") {
      this.#report.good("Made a repository with a first commit");
    } else if (outcome.status === "initialised") {
      this.#report.line(`- Made a repository without a commit: ${outcome.reason}`);
    } else {
      this.#report.line(`- Made no repository: ${outcome.reason}`);
    }
  }

  verifying(): void {
    this.#report.line("Verifying the service");
  }

  check(name: string, milliseconds: number): void {
    this.#report.good(`${name} (${durationOf(milliseconds)})`, "  ");
  }

  /** The end of a run that wrote the service. Returns the exit code. */
  done(plan: CreatePlan, { failure, ...result }: CreateResult): number {
    const nextSteps = [
      ...goThere(plan.directory),
      ...plan.steps,
      ...(result.installed ? [] : [plan.packageManager.install]),
      `${plan.packageManager.run} dev`,
    ];
    if (this.#report.json) {
      const { target, answers, tree, command } = plan;
      const created = { directory: target.folder, files: tree.size, bytes: bytesOf(tree) };
      const { notes } = plan;
      const done = { created, answers, ...result, command, notes, nextSteps };
      return this.#report.result(done, failure) ?? 0;
    }
    if (failure) {
      return this.#report.failure(failure.error);
    }
    this.#report.line();
    // In a checkout, the Node that runs us may be newer than the one in the user's terminal.
    this.#report.line(`Next, with Node ${nodeRangeOf(plan.tree)}:`);
    nextSteps.forEach((step) => this.#report.line(`  ${step}`));
    this.#report.line(`Then open http://localhost:${plan.answers.port}/docs`);
    if (plan.answers.integrations.length > 0) {
      const names = plan.answers.integrations.join(", ");
      this.#report.line(
        `${names}: in memory, so no server is needed; .env says how to use real ones`,
      );
    }
    this.#report.line();
    this.#report.line("The same again, without questions:");
    this.#report.line(`  ${plan.command}`);
    if (plan.gitWanted && result.git.status !== "committed") {
      this.#report.line();
      this.#report.bad(`--git was not possible: ${result.git.reason}`);
    }
    return 0;
  }
}

/** What will be made, as pairs of a word and its value. */
function summaryRows({ answers, ...plan }: CreatePlan): [key: string, value: string][] {
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
    ["folder", `${plan.directory || "."} (${sizeOf(plan.tree)})`],
    ["then", then.join(", ") || "nothing"],
  ];
}

/** The files as an indented tree, each with its size. */
function treeLines(tree: Tree): string[] {
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

/** As in "84 files, 312.4 kB, 12 of them yours alone". */
function sizeOf(tree: Tree): string {
  const yours = [...tree.values()].filter(({ owner }) => owner === "once").length;
  return `${tree.size} files, ${kilobytes(bytesOf(tree))}, ${yours} of them yours alone`;
}

function bytesOf(tree: Tree): number {
  return [...tree.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function kilobytes(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}
