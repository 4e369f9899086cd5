import { relative } from "node:path";

import { equivalentCommand, quoteForShell } from "../answers/flags.ts";
import { type Answers, defaultAnswers } from "../answers/schema.ts";
import { GIT_COMMANDS, type GitOutcome, initRepository } from "../apply/git.ts";
import { install } from "../apply/install.ts";
import { findPlace, type Place } from "../apply/place.ts";
import { verify, type Verification } from "../apply/verify.ts";
import { writeTree } from "../apply/write.ts";
import { entryNamed, type Manifest, type PackageManager } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import { render } from "../plan/render.ts";
import type { Tree } from "../plan/tree.ts";
import { collectAnswers } from "./collect.ts";
import type { Host } from "./host.ts";
import type { CreateOptions } from "./program.ts";
import type { Report } from "./report.ts";

/** What is to be made, and what is to be done with it. */
export interface CreatePlan {
  answers: Answers;
  place: Place;
  /** The target as the user would type it. */
  directory: string;
  tree: Tree;
  packageManager: PackageManager;
  install: boolean;
  git: boolean;
  verify: boolean;
  /** The command line that makes the same without a question. */
  command: string;
}

/** What was done. */
export interface CreateResult {
  installed: boolean;
  git: GitOutcome;
  verified: Verification | undefined;
}

/** Writes a new service, and makes it ready to work on. */
export async function create(host: Host, report: Report, options: CreateOptions): Promise<void> {
  if (options.verify && options.install === false) {
    throw new UserError("USAGE", "--verify needs what --no-install leaves out", "drop one of them");
  }
  const { manifest, ...templates } = await host.templates();
  const { answers, asked } = await collectAnswers(host, manifest, options);
  const place = await findPlace(host.fs, host.cwd, options.directory ?? answers.name);
  const tree = render({ manifest, ...templates }, answers);
  const wishes = await askForWishes(host, options, asked);
  const plan = planOf(host, manifest, { answers, place, tree, options: { ...options, ...wishes } });
  if (options.dryRun) {
    report.plan(plan);
    return;
  }
  if (asked) {
    report.summary(plan);
    await confirm(host);
  }
  await writeTree(host.fs, place, tree, host.signal);
  report.written(plan);
  report.done(plan, await finish(host, report, plan));
}

/** The questions that are not about the service itself. */
async function askForWishes(host: Host, options: CreateOptions, asked: boolean) {
  if (!asked || options.dryRun) {
    return {};
  }
  const prompter = await host.prompter();
  const yesOrNo = async (given: boolean | undefined, message: string) =>
    given ?? (await prompter.confirm({ message, default: true }));
  return {
    install: options.verify || (await yesOrNo(options.install, "Install the dependencies?")),
    git: await yesOrNo(options.git, "Make a git repository?"),
  };
}

function planOf(
  host: Host,
  manifest: Manifest,
  {
    answers,
    place,
    tree,
    options,
  }: {
    answers: Answers;
    place: Place;
    tree: Tree;
    options: CreateOptions;
  },
): CreatePlan {
  const extra = [
    ...(options.directory === undefined ? [] : ["--directory", quoteForShell(options.directory)]),
    ...(options.install === false ? ["--no-install"] : []),
    ...(options.git === false ? ["--no-git"] : []),
    ...(options.verify ? ["--verify"] : []),
  ];
  return {
    answers,
    place,
    directory: relative(host.cwd, place.target),
    tree,
    packageManager: entryNamed(manifest.packageManagers, answers.packageManager),
    install: options.install ?? true,
    git: options.git ?? true,
    verify: options.verify ?? false,
    command: equivalentCommand(answers, defaultAnswers(manifest), extra),
  };
}

async function confirm(host: Host): Promise<void> {
  const prompter = await host.prompter();
  if (!(await prompter.confirm({ message: "Write it?", default: true }))) {
    throw new UserError("INTERRUPTED", "stopped; nothing was written");
  }
}

/** What follows the writing. From here on the tree is whole and stays, whatever happens. */
async function finish(host: Host, report: Report, plan: CreatePlan): Promise<CreateResult> {
  const { commands, signal } = host;
  const cwd = plan.place.target;
  const result: CreateResult = {
    installed: false,
    git: { status: "skipped", reason: "it was not wanted" },
    verified: undefined,
  };
  try {
    if (plan.install) {
      await report.progress(`Installing with ${plan.packageManager.install}`, () =>
        install(commands, plan.packageManager, cwd, signal),
      );
      result.installed = true;
    }
    if (plan.git) {
      result.git = await initRepository(commands, cwd, signal);
      report.repository(result.git);
    }
    if (plan.verify) {
      const tools = {
        ...host,
        network: await host.network(),
        onCheck: report.check.bind(report),
      };
      report.line("Verifying the service");
      result.verified = await verify(tools, plan.packageManager, cwd);
    }
    return result;
  } catch (error) {
    throw withContinuation(error, plan, result);
  }
}

function withContinuation(error: unknown, plan: CreatePlan, result: CreateResult): unknown {
  if (!(error instanceof UserError)) {
    return error;
  }
  if (error.code === "VERIFY_FAILED") {
    return new UserError(error.code, error.message, `${plan.directory} stays as it is`);
  }
  const steps = [
    `cd ${quoteForShell(plan.directory)}`,
    ...(plan.install && !result.installed ? [plan.packageManager.install] : []),
    ...(plan.git && result.git.status === "skipped" ? GIT_COMMANDS : []),
  ];
  const message =
    error.code === "INTERRUPTED" ? `interrupted; ${plan.directory} is whole` : error.message;
  const hint = `${error.hint ? `${error.hint}; ` : ""}go on with: ${steps.join(" && ")}`;
  return new UserError(error.code, message, hint);
}
