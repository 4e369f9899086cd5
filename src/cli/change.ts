import { commit } from "../apply/commit.ts";
import { styleForTeam } from "../apply/team-style.ts";
import type { Answers } from "../answers/schema.ts";
import { entryNamed } from "../catalog/manifest.ts";
import type { Templates } from "../catalog/templates.ts";
import type { Plan } from "../plan/plan.ts";
import { render } from "../plan/render.ts";
import type { Tree } from "../plan/tree.ts";
import { planUpdate } from "../plan/update.ts";
import type { ChangeReport } from "./change-report.ts";
import type { ServiceOptions } from "./commands.ts";
import { confirmWriting } from "./collect.ts";
import type { Host } from "./host.ts";
import { installChanged } from "./change-install.ts";
import { nextSteps } from "./next-steps.ts";
import { readFiles, type Service, servicePath } from "./open-service.ts";

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

const WITH_CONFLICTS = 3;

/** Plans a change of a service and makes it. */
export async function change(
  host: Host,
  report: ChangeReport,
  service: Service,
  wish: Wish,
  options: ServiceOptions,
): Promise<number> {
  const changing = await planChange(host, report, service, wish, options);
  const { changes, conflicts } = changing.plan;
  if (options.dryRun) {
    report.planned(changing);
    return 0;
  }
  if (changes.length > 0) {
    if (wish.asked) {
      report.summary(changing);
      await confirmWriting(host);
    }
    await commit(host, { root: service.root, command: wish.command, changes });
    report.written(changing);
  }
  const { packageManagers } = wish.templates.manifest;
  const packageManager = entryNamed(packageManagers, wish.answers.packageManager);
  const ending = await installChanged(
    host,
    report,
    { ...service, packageManager },
    changes,
    options,
  );
  const failed = report.done(changing, ending, nextSteps(changing, ending.installed));
  return failed ?? (conflicts.length > 0 ? WITH_CONFLICTS : 0);
}

async function planChange(
  host: Host,
  report: ChangeReport,
  service: Service,
  wish: Wish,
  { restore = [] }: ServiceOptions,
): Promise<Changing> {
  const rendered = render(wish.templates, wish.answers);
  const { unknown, files, obstacles, ...reading } = await readFiles(host, service, rendered);
  const { base, theirs, findings } = await styleForTeam(
    host,
    service.root,
    { base: reading.base, theirs: rendered, mine: files },
    (title, work) => report.progress(title, work),
  );
  const plan = planUpdate({
    base,
    unknown,
    theirs,
    mine: files,
    obstacles,
    restore: new Set(restore.map(servicePath)),
    labels: { mine: "yours", theirs: `template ${wish.templates.version}, ${wish.command}` },
  });
  plan.findings.unshift(...findings);
  return { ...wish, service, plan, base, theirs };
}
