import { relative } from "node:path";

import { equivalentCommand, quoteForShell } from "../answers/flags.ts";
import { type Answers, defaultAnswers } from "../answers/schema.ts";
import { findPlace, type Place } from "../apply/place.ts";
import { writeTree } from "../apply/write.ts";
import { entryNamed, type Manifest, type PackageManager } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import { render } from "../plan/render.ts";
import type { Tree } from "../plan/tree.ts";
import { collectAnswers, confirmWriting } from "./collect.ts";
import { finish } from "./finish.ts";
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

/** Writes a new service, and makes it ready to work on. */
export async function create(host: Host, report: Report, options: CreateOptions): Promise<void> {
  if (options.verify && options.install === false) {
    throw new UserError("USAGE", "--verify needs what --no-install leaves out", "drop one of them");
  }
  const templates = await host.templates();
  const { answers, asked } = await collectAnswers(host, templates.manifest, options);
  const place = await findPlace(host.fs, host.cwd, options.directory ?? answers.name);
  const tree = render(templates, answers);
  const wishes = await askForWishes(host, options, asked);
  const plan = {
    answers,
    place,
    tree,
    directory: relative(host.cwd, place.target),
    packageManager: entryNamed(templates.manifest.packageManagers, answers.packageManager),
    ...wishes,
    verify: options.verify ?? false,
    command: commandOf(templates.manifest, answers, { ...options, ...wishes }),
  };
  if (options.dryRun) {
    report.plan(plan);
    return;
  }
  if (asked) {
    report.summary(plan);
    await confirmWriting(host);
  }
  await writeTree(host.fs, place, tree, host.signal);
  report.written(plan);
  report.done(plan, await finish(host, report, plan));
}

/** The questions that are not about the service itself. */
async function askForWishes(host: Host, options: CreateOptions, asked: boolean) {
  if (!asked || options.dryRun) {
    return { install: options.install ?? true, git: options.git ?? true };
  }
  const prompter = await host.prompter();
  const yesOrNo = async (given: boolean | undefined, message: string) =>
    given ?? (await prompter.confirm({ message, default: true }));
  return {
    install: options.verify || (await yesOrNo(options.install, "Install the dependencies?")),
    git: await yesOrNo(options.git, "Make a git repository?"),
  };
}

function commandOf(manifest: Manifest, answers: Answers, options: CreateOptions): string {
  return equivalentCommand(answers, defaultAnswers(manifest), [
    ...(options.directory === undefined ? [] : ["--directory", quoteForShell(options.directory)]),
    ...(options.install === false ? ["--no-install"] : []),
    ...(options.git === false ? ["--no-git"] : []),
    ...(options.verify ? ["--verify"] : []),
  ]);
}
