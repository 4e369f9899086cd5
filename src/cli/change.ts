import { confirmWriting } from "../answers/ask.ts";
import { commit } from "../apply/commit.ts";
import { install } from "../apply/install.ts";
import { styleForTeam } from "../apply/team-style.ts";
import { entryNamed, type PackageManager } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import { type AcceptedFiles, withAccepted } from "../plan/accepted.ts";
import { acceptedAfter, isAccepted } from "../plan/accepting.ts";
import { danglingImports } from "../plan/dangling.ts";
import { equal } from "../plan/merge/three-way/encoding.ts";
import { withRemembered } from "../plan/remembered.ts";
import { rememberedOf, render } from "../plan/render.ts";
import { STATE_FILE } from "../plan/state.ts";
import type { Tree } from "../plan/tree.ts";
import { planUpdate } from "../plan/update.ts";
import type { ChangeReport, ChangeRequest, InstallResult, PlannedChange } from "./change-report.ts";
import type { ServiceOptions } from "./command.ts";
import type { Host } from "./host.ts";
import { goThere, serverStarts, withContinuation } from "./next-steps.ts";
import { readFiles, type Service, servicePath } from "./open-service.ts";
import type { Report } from "./report.ts";

const WITH_CONFLICTS = 3;

/** Plans a change of a service and makes it. */
export async function change(
  host: Host,
  report: ChangeReport,
  service: Service,
  request: ChangeRequest,
  options: ServiceOptions,
): Promise<number> {
  // Whoever asks to check would be surprised to find files written.
  if (options.check && !options.dryRun) {
    throw new UserError(
      "USAGE",
      "--check needs --dry-run",
      "status --check is for the service as it is",
    );
  }
  const planned = await planChange(host, report, service, request, options);
  const { changes, conflicts } = planned.plan;
  if (options.dryRun) {
    report.planned(planned);
    return options.check && conflicts.length > 0 ? WITH_CONFLICTS : 0;
  }
  if (changes.length > 0) {
    if (request.asked) {
      report.summary(planned);
      await confirmWriting(await host.prompter());
    }
    await commit(host, { root: service.root, command: request.command, changes });
    report.written(planned);
  }
  const packageManager = packageManagerOf(planned);
  const result = await installChanged(
    host,
    report,
    { ...service, packageManager },
    changes,
    options,
  );
  const failed = report.done(planned, result, nextSteps(planned, result.installed));
  return failed ?? (conflicts.length > 0 ? WITH_CONFLICTS : 0);
}

async function planChange(
  host: Host,
  report: ChangeReport,
  service: Service,
  request: ChangeRequest,
  { restore = [] }: ServiceOptions,
): Promise<PlannedChange> {
  const { accepted } = service.state;
  const rendered = keepAccepted(render(request.templates, request.answers), accepted);
  const { unknown, files, obstacles, ...reading } = await readFiles(host, service, rendered);
  const remembered = rememberedOf(request.templates, request.answers);
  // What this version writes, too, stays as it is, edited or not.
  const whole = withRemembered(rendered, remembered, reading.base, files);
  const { base, theirs, findings } = await styleForTeam(
    host,
    service.root,
    { base: reading.base, theirs: whole, mine: files },
    (title, work) => report.progress(title, work),
  );
  const plan = planUpdate({
    base,
    unknown,
    theirs,
    mine: files,
    obstacles,
    restore: new Set(restore.map((typed) => servicePath(host, service, typed))),
    labels: { mine: "yours", theirs: `template ${request.templates.version}, ${request.command}` },
  });
  // What a team does without on purpose is no news, until the template changes it.
  const news = plan.findings.filter(({ path, kind }) => {
    const [was, wanted] = [base.get(path), theirs.get(path)];
    const isSame = was && wanted && equal(was.bytes, wanted.bytes);
    return !(kind === "stays-deleted" && isSame && isAccepted(accepted, files, path));
  });
  plan.findings = [...findings, ...news];
  plan.findings.push(...danglingImports(files, plan.changes));
  const changes = plan.changes.map((planned) =>
    planned.path === STATE_FILE && planned.after && accepted.size > 0
      ? {
          ...planned,
          after: {
            ...planned.after,
            bytes: withAccepted(planned.after.bytes, acceptedAfter(accepted, files, theirs, plan)),
          },
        }
      : planned,
  );
  return { ...request, service, plan: { ...plan, changes }, base, theirs };
}

/** A render whose state file still holds the accepted differences. */
function keepAccepted(tree: Tree, accepted: AcceptedFiles): Tree {
  const state = tree.get(STATE_FILE);
  return state && accepted.size > 0
    ? new Map(tree).set(STATE_FILE, { ...state, bytes: withAccepted(state.bytes, accepted) })
    : tree;
}

function packageManagerOf({ answers, templates }: ChangeRequest): PackageManager {
  return entryNamed(templates.manifest.packageManagers, answers.packageManager);
}

/** Installs what a change brought, or took, when package.json is part of it. */
export async function installChanged(
  host: Host,
  report: Pick<Report, "progress">,
  service: { root: string; directory: string; packageManager: PackageManager },
  changes: readonly { path: string }[],
  options: { install?: boolean },
): Promise<InstallResult> {
  const { root, packageManager } = service;
  if (!changes.some(({ path }) => path === "package.json")) {
    return { installed: undefined };
  }
  if (options.install === false) {
    return { installed: false };
  }
  try {
    await report.progress(`Installing with ${packageManager.install}`, () =>
      install(host, packageManager, root),
    );
    return { installed: true };
  } catch (error) {
    return { installed: false, failure: { error: explained(error, service) } };
  }
}

function explained(
  error: unknown,
  { directory, packageManager }: { directory: string; packageManager: PackageManager },
): unknown {
  return error instanceof UserError
    ? withContinuation(error, {
        interrupted: "interrupted; the service's files are written and whole",
        goThere: goThere(directory),
        install: [packageManager.install],
        rest: [],
      })
    : error;
}

/** What is left to the user after a change, in the order in which it is done. */
function nextSteps(planned: PlannedChange, installed: boolean | undefined): string[] {
  const { service, plan, base, theirs } = planned;
  if (plan.changes.length === 0) {
    return [];
  }
  const packageManager = packageManagerOf(planned);
  const settings = newSettings(base, theirs);
  return [
    ...goThere(service.directory),
    ...(plan.conflicts.length > 0 ? ["decide the conflicts above"] : []),
    ...(installed === false ? [packageManager.install] : []),
    ...(settings.length > 0 ? [`look at these settings in .env: ${settings.join(", ")}`] : []),
    ...serverStarts(theirs, base),
    `${packageManager.run} typecheck && ${packageManager.test}`,
  ];
}

/** The settings that the template has now and had not before. */
function newSettings(base: Tree, theirs: Tree): string[] {
  const before = settingsOf(base);
  return settingsOf(theirs).filter((name) => !before.includes(name));
}

function settingsOf(tree: Tree): string[] {
  const text = Buffer.from(tree.get(".env.example")?.bytes ?? []).toString("utf8");
  return [...text.matchAll(/^#? ?([A-Z][A-Z0-9_]*)=/gm)].map(([, name = ""]) => name);
}
