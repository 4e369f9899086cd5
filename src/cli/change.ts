import { commit } from "../apply/commit.ts";
import { install } from "../apply/install.ts";
import type { Answers } from "../answers/schema.ts";
import { entryNamed } from "../catalog/manifest.ts";
import type { Templates } from "../catalog/templates.ts";
import { UserError } from "../errors.ts";
import type { Plan } from "../plan/plan.ts";
import { render } from "../plan/render.ts";
import type { Tree } from "../plan/tree.ts";
import { planUpdate } from "../plan/update.ts";
import type { ChangeReport } from "./change-report.ts";
import type { ServiceOptions } from "./commands.ts";
import type { Host } from "./host.ts";
import { nextSteps } from "./next-steps.ts";
import { readFiles, type Service } from "./open-service.ts";
import { withContinuation } from "./wording.ts";

/** What a service shall become. */
export interface Wish {
  /** The command line that wants it, without its flags. */
  command: string;
  answers: Answers;
  templates: Templates;
  /** Somebody was asked for it, and so is asked once more before anything is written. */
  asked: boolean;
}

/** A wish, and what it takes to fulfil it. */
export interface Changing extends Wish {
  service: Service;
  plan: Plan;
  /** What the template once wrote, and what it writes now. */
  base: Tree;
  theirs: Tree;
}

export const WITH_CONFLICTS = 3;

/** Plans a change of a service and makes it. */
export async function change(
  host: Host,
  report: ChangeReport,
  service: Service,
  wish: Wish,
  options: ServiceOptions,
): Promise<number> {
  const changing = await planChange(host, service, wish, options);
  const { changes, conflicts } = changing.plan;
  if (options.dryRun) {
    report.planned(changing);
    return 0;
  }
  if (changes.length > 0) {
    if (wish.asked) {
      report.summary(changing);
      await confirm(host);
    }
    await commit(host, { root: service.root, command: wish.command, changes });
    report.written(changing);
  }
  const installed = await installChanged(host, report, changing, options);
  report.done(changing, { installed, nextSteps: nextSteps(changing, installed) });
  return conflicts.length > 0 ? WITH_CONFLICTS : 0;
}

async function planChange(
  host: Host,
  service: Service,
  wish: Wish,
  { restore }: ServiceOptions,
): Promise<Changing> {
  const theirs = render(wish.templates, wish.answers);
  const { base, unknown, files, obstacles } = await readFiles(host, service, theirs);
  const plan = planUpdate({
    base,
    unknown,
    theirs,
    mine: files,
    obstacles,
    restore: new Set(restore),
    labels: { mine: "yours", theirs: `template ${wish.templates.version}, ${wish.command}` },
  });
  return { ...wish, service, plan, base, theirs };
}

async function confirm(host: Host): Promise<void> {
  const prompter = await host.prompter();
  if (!(await prompter.confirm({ message: "Write it?", default: true }))) {
    throw new UserError("INTERRUPTED", "stopped; nothing was written");
  }
}

/** Installs what the change brought, or took, when package.json is part of it. */
export async function installChanged(
  host: Host,
  report: ChangeReport,
  { service, plan, ...wish }: Pick<Changing, "service" | "plan" | "answers" | "templates">,
  options: ServiceOptions,
): Promise<boolean | undefined> {
  const { packageManagers } = wish.templates.manifest;
  const packageManager = entryNamed(packageManagers, wish.answers.packageManager);
  if (!plan.changes.some(({ path }) => path === "package.json")) {
    return undefined;
  }
  if (options.install === false) {
    return false;
  }
  try {
    await report.progress(`Installing with ${packageManager.install}`, () =>
      install(host.commands, packageManager, service.root, host.signal),
    );
    return true;
  } catch (error) {
    const whole = "interrupted; the service's files are written and whole";
    throw error instanceof UserError
      ? withContinuation(error, whole, packageManager.install)
      : error;
  }
}
