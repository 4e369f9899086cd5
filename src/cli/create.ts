import { relative } from "node:path";

import { confirmWriting } from "../answers/ask.ts";
import { ANSWER_FLAGS, equivalentCommand, quoteForShell } from "../answers/flags.ts";
import { type Answers, defaultAnswers } from "../answers/schema.ts";
import { findRepository, GIT_COMMANDS, type GitOutcome, initRepository } from "../apply/git.ts";
import { install, isCreateScript, ownCommand, swallowedFlags } from "../apply/install.ts";
import { findTarget } from "../apply/target.ts";
import { verify } from "../apply/verify.ts";
import { terminalNode } from "../apply/terminal-node.ts";
import { findWorkspace } from "../apply/workspace.ts";
import { writeTree } from "../apply/write.ts";
import { entryNamed, type Manifest } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import type { Conflict } from "../plan/plan.ts";
import { render } from "../plan/render.ts";
import type { Tree } from "../plan/tree.ts";
import { collectAnswers } from "./collect-answers.ts";
import type { CreateOptions } from "./command.ts";
import { type CreatePlan, CreateReport, type CreateResult } from "./create-report.ts";
import type { Host } from "./host.ts";
import { nest } from "./nested.ts";
import { goThere, nodeRangeOf, withContinuation } from "./next-steps.ts";
import type { Report } from "./report.ts";

/** Writes a new service, and makes it ready to work on. Returns the exit code. */
export async function create(
  host: Host,
  generalReport: Report,
  options: CreateOptions,
): Promise<number> {
  refuseSwallowed(host);
  const report = new CreateReport(generalReport);
  const { plan, asked } = await planCreate(host, {
    ...options,
    verify: wantsVerify(host, options),
  });
  if (options.dryRun) {
    report.plan(plan);
    return 0;
  }
  if (asked) {
    report.summary(plan);
    await confirmWriting(await host.prompter());
  }
  const conflicts = await write(host, plan);
  plan.notes.push(...(await nodeNotes(host, plan)));
  report.written(plan, conflicts);
  const failed = report.done(plan, await finish(host, report, plan));
  return failed || (conflicts.length > 0 ? WITH_CONFLICTS : 0);
}

/** Whether to verify. A checkout's script asks for it on its own, so there it yields to other flags. */
function wantsVerify({ env }: Host, options: CreateOptions): boolean {
  const impossible = options.verify === true && options.install === false;
  if (impossible && !isCreateScript(env)) {
    throw new UserError("USAGE", "--verify needs what --no-install leaves out", "drop one of them");
  }
  return options.verify === true && !impossible;
}

// Those that nobody means for npm. It also has a --yes, which may be meant for its own question.
const NOT_FOR_NPM = [
  ...ANSWER_FLAGS.map(({ flag }) => flag).filter((flag) => flag.startsWith("--")),
  "--answers",
  "--directory",
  "--dry-run",
  "--json",
  "--verify",
  "--no-install",
  "--no-git",
];

function refuseSwallowed({ env }: Host): void {
  const flags = swallowedFlags(env, NOT_FOR_NPM);
  if (flags.length > 0) {
    const command = isCreateScript(env) ? "npm run create" : "npm create fetch-service";
    throw new UserError(
      "USAGE",
      `npm took ${flags.join(", ")} for itself; nothing was written`,
      `put -- before your flags: ${command} -- my-service ${flags[0]} …`,
    );
  }
}

/** What to know when the user's Node cannot run what was written. */
async function nodeNotes(host: Host, { tree, target }: CreatePlan): Promise<string[]> {
  const range = nodeRangeOf(tree);
  const version = await terminalNode(host, target.folder);
  if (version !== undefined && (await satisfies(version, range))) {
    return [];
  }
  const found = version === undefined ? "there is no Node" : `Node ${version} is first`;
  return [
    `${found} in your PATH, and the service needs ${range}: nvm install 26, or https://nodejs.org`,
  ];
}

/** Whether a version is in a range. Most have what it ends with, and loading semver takes a tenth of a create. */
async function satisfies(version: string, range: string): Promise<boolean> {
  const [, least] = /(?:^|\|\|) *>=(\d+\.\d+)\.0$/.exec(range) ?? [];
  const [, release] = /^(\d+\.\d+)\.\d+$/.exec(version) ?? [];
  if (least !== undefined && release !== undefined && isAtLeast(release, least)) {
    return true;
  }
  return (await import("semver")).default.satisfies(version, range);
}

function isAtLeast(release: string, least: string): boolean {
  const [major = 0, minor = 0] = release.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split(".").map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

const WITH_CONFLICTS = 3;

async function write(host: Host, { target, ...plan }: CreatePlan): Promise<Conflict[]> {
  const tree = withEnvFile(plan.tree, plan.answers);
  if (target.exists) {
    const { writeInto } = await import("./create-into.ts");
    return await writeInto(host, target.folder, tree);
  }
  await writeTree(host.fs, target, tree, host.signal);
  return [];
}

/**
 * With a first `.env` for whoever made it, which has the integrations in memory. It is no part of the render: git ignores
 * it, no command looks at it again, and a team may have put secrets into it by then.
 */
function withEnvFile(tree: Tree, { integrations }: Answers): Tree {
  const example = tree.get(".env.example");
  if (example === undefined || integrations.length === 0) {
    return tree;
  }
  const [, ...lines] = Buffer.from(example.bytes).toString("utf8").split("\n");
  const bytes = Buffer.from(["# Yours alone: git ignores it.", ...lines].join("\n"));
  return new Map([...tree, [".env", { ...example, bytes }]]);
}

async function planCreate(
  host: Host,
  options: CreateOptions,
): Promise<{ plan: CreatePlan; asked: boolean }> {
  const templates = await host.templates();
  const { answers, asked } = await collectAnswers(host, templates.manifest, options);
  const target = await findTarget(host.fs, host.cwd, options.directory ?? answers.name);
  const { folder } = target;
  const repository = await findRepository(host, folder);
  const workspace = await findWorkspace(host.fs, folder, answers.packageManager);
  const nested = await nest(render(templates, answers), answers.name, folder, {
    repository: repository === folder ? undefined : repository,
    workspace,
  });
  const chosen = await askOptions(host, asked, {
    ...options,
    install: options.install ?? (nested.installLater ? false : undefined),
    // Inside a repository there is nothing to make; who asks for it all the same hears why.
    git: options.git ?? (repository === undefined ? undefined : false),
  });
  const plan = {
    answers,
    target,
    ...nested,
    directory: relative(host.cwd, folder),
    packageManager: entryNamed(templates.manifest.packageManagers, answers.packageManager),
    examples: answers.integrations.flatMap(
      (name) => entryNamed(templates.manifest.integrations, name).examples ?? [],
    ),
    ...chosen,
    gitWanted: options.git === true,
    verify: options.verify ?? false,
    command: commandOf(host, templates.manifest, answers, { ...options, ...chosen }),
  };
  return { plan, asked };
}

interface Wanted {
  install: boolean | undefined;
  git: boolean | undefined;
}

/** Asks for the options that are not about the service itself. */
async function askOptions(
  host: Host,
  asked: boolean,
  wanted: Pick<CreateOptions, "verify" | "dryRun"> & Wanted,
) {
  if (!asked || wanted.dryRun) {
    return { install: wanted.install ?? true, git: wanted.git ?? true };
  }
  const prompter = await host.prompter();
  const yesOrNo = async (given: boolean | undefined, message: string) =>
    given ?? (await prompter.confirm({ message, default: true }));
  return {
    install: wanted.verify || (await yesOrNo(wanted.install, "Install the dependencies?")),
    git: await yesOrNo(wanted.git, "Make a git repository?"),
  };
}

function commandOf(
  { env }: Host,
  manifest: Manifest,
  answers: Answers,
  options: CreateOptions,
): string {
  const flags = [
    ...(options.directory === undefined ? [] : ["--directory", quoteForShell(options.directory)]),
    ...(options.install === false ? ["--no-install"] : []),
    ...(options.git === false ? ["--no-git"] : []),
    ...(options.verify && !isCreateScript(env) ? ["--verify"] : []),
  ];
  return equivalentCommand(answers, defaultAnswers(manifest), flags, ownCommand(env));
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
      result.verified = await verify(tools, plan.packageManager, cwd, plan.examples);
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
    return new UserError(
      error.code,
      error.message,
      `${plan.directory || "the service"} stays as it is`,
    );
  }
  return withContinuation(error, {
    interrupted: `interrupted; ${plan.directory || "the service"} is whole`,
    goThere: goThere(plan.directory),
    install: plan.install && !result.installed ? [plan.packageManager.install] : [],
    rest: plan.git && result.git === NOT_DONE ? GIT_COMMANDS : [],
  });
}
