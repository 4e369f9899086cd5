import { relative } from "node:path";

import { confirmWriting } from "../answers/ask.ts";
import { equivalentCommand, quoteForShell } from "../answers/flags.ts";
import { type Answers, defaultAnswers } from "../answers/schema.ts";
import { GIT_COMMANDS, type GitOutcome, initRepository } from "../apply/git.ts";
import { install } from "../apply/install.ts";
import { findTarget } from "../apply/target.ts";
import { verify } from "../apply/verify.ts";
import { writeTree } from "../apply/write.ts";
import { entryNamed, type Manifest } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import { render } from "../plan/render.ts";
import { collectAnswers } from "./collect-answers.ts";
import type { CreateOptions } from "./command.ts";
import { type CreatePlan, CreateReport, type CreateResult } from "./create-report.ts";
import type { Host } from "./host.ts";
import { goThere, withContinuation } from "./next-steps.ts";
import type { Report } from "./report.ts";

/** Writes a new service, and makes it ready to work on. */
export async function create(
  host: Host,
  generalReport: Report,
  options: CreateOptions,
): Promise<number> {
  if (options.verify && options.install === false) {
    throw new UserError("USAGE", "--verify needs what --no-install leaves out", "drop one of them");
  }
  const report = new CreateReport(generalReport);
  const { plan, asked } = await planCreate(host, options);
  if (options.dryRun) {
    report.plan(plan);
    return 0;
  }
  if (asked) {
    report.summary(plan);
    await confirmWriting(await host.prompter());
  }
  await writeTree(host.fs, plan.target, plan.tree, host.signal);
  report.written(plan);
  return report.done(plan, await finish(host, report, plan));
}

async function planCreate(
  host: Host,
  options: CreateOptions,
): Promise<{ plan: CreatePlan; asked: boolean }> {
  const templates = await host.templates();
  const { answers, asked } = await collectAnswers(host, templates.manifest, options);
  const target = await findTarget(host.fs, host.cwd, options.directory ?? answers.name);
  const tree = render(templates, answers);
  const chosen = await askOptions(host, options, asked);
  const plan = {
    answers,
    target,
    tree,
    directory: relative(host.cwd, target.folder),
    packageManager: entryNamed(templates.manifest.packageManagers, answers.packageManager),
    ...chosen,
    verify: options.verify ?? false,
    command: commandOf(templates.manifest, answers, { ...options, ...chosen }),
  };
  return { plan, asked };
}

/** Asks for the options that are not about the service itself. */
async function askOptions(host: Host, options: CreateOptions, asked: boolean) {
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

const NOT_DONE: GitOutcome = { status: "skipped", reason: "it was not wanted" };

/** What follows the writing. From here on the tree is whole and stays, whatever happens. */
async function finish(host: Host, report: CreateReport, plan: CreatePlan): Promise<CreateResult> {
  const { commands, signal } = host;
  const cwd = plan.target.folder;
  const result: CreateResult = {
    installed: false,
    git: NOT_DONE,
    verified: undefined,
  };
  try {
    if (plan.install) {
      await report.progress(`Installing with ${plan.packageManager.install}`, () =>
        install(host, plan.packageManager, cwd),
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
      report.verifying();
      result.verified = await verify(tools, plan.packageManager, cwd);
    }
    return result;
  } catch (error) {
    return { ...result, failure: { error: explained(error, plan, result) } };
  }
}

function explained(error: unknown, plan: CreatePlan, result: CreateResult): unknown {
  if (!(error instanceof UserError)) {
    return error;
  }
  if (error.code === "VERIFY_FAILED") {
    return new UserError(error.code, error.message, `${plan.directory} stays as it is`);
  }
  return withContinuation(error, {
    interrupted: `interrupted; ${plan.directory} is whole`,
    goThere: goThere(plan.directory),
    install: plan.install && !result.installed ? [plan.packageManager.install] : [],
    rest: plan.git && result.git === NOT_DONE ? GIT_COMMANDS : [],
  });
}
