import { quoteForShell } from "../answers/flags.ts";
import { GIT_COMMANDS, type GitOutcome, initRepository } from "../apply/git.ts";
import { install } from "../apply/install.ts";
import { verify, type Verification } from "../apply/verify.ts";
import { UserError } from "../errors.ts";
import type { CreatePlan } from "./create.ts";
import type { Host } from "./host.ts";
import type { Report } from "./report.ts";
import { withContinuation } from "./wording.ts";

/** What was done. */
export interface CreateResult {
  installed: boolean;
  git: GitOutcome;
  verified: Verification | undefined;
}

const NOT_DONE: GitOutcome = { status: "skipped", reason: "it was not wanted" };

/** What follows the writing. From here on the tree is whole and stays, whatever happens. */
export async function finish(host: Host, report: Report, plan: CreatePlan): Promise<CreateResult> {
  const { commands, signal } = host;
  const cwd = plan.place.target;
  const result: CreateResult = {
    installed: false,
    git: NOT_DONE,
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
    throw explained(error, plan, result);
  }
}

function explained(error: unknown, plan: CreatePlan, result: CreateResult): unknown {
  if (!(error instanceof UserError)) {
    return error;
  }
  if (error.code === "VERIFY_FAILED") {
    return new UserError(error.code, error.message, `${plan.directory} stays as it is`);
  }
  const steps = [
    `cd ${quoteForShell(plan.directory)}`,
    ...(plan.install && !result.installed ? [plan.packageManager.install] : []),
    ...(plan.git && result.git === NOT_DONE ? GIT_COMMANDS : []),
  ];
  return withContinuation(error, `interrupted; ${plan.directory} is whole`, steps.join(" && "));
}
