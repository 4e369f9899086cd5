import { confirmWriting } from "../answers/ask.ts";
import { commit } from "../apply/commit.ts";
import { readService } from "../apply/read-service.ts";
import { UserError } from "../errors.ts";
import { type Adoption, adopt as findAnswers } from "../plan/adopt.ts";
import { Draft } from "../plan/draft.ts";
import type { Change, DiskTree } from "../plan/plan.ts";
import { render } from "../plan/render.ts";
import { STATE_FILE } from "../plan/state.ts";
import type { ServiceCommand } from "./command.ts";
import type { Host } from "./host.ts";
import { findRoot, serviceAt } from "./open-service.ts";
import type { Report } from "./report.ts";

/** Rebuilds the record of how a service was made, from its files. */
export const adopt: ServiceCommand = async (host, report, options) => {
  const root = await findRoot(host, report, options.directory ?? ".");
  if (await hasState(host, root)) {
    report.good(
      `Nothing to rebuild: ${STATE_FILE} is intact; remove it first if it belongs to another service`,
    );
    if (report.json) {
      report.document({ [options.dryRun ? "plan" : "adopted"]: null });
    }
    return 0;
  }
  // Hidden folders are read only when something in them is wanted.
  const wanted = new Set([STATE_FILE, ".github/workflows/ci.yml", ".vscode/extensions.json"]);
  const { files } = await readService(host.fs, root, wanted);
  const adoption = await search(host, report, files);
  const { answers, templates, equal, total } = adoption;
  const found = { answers, templateVersion: templates.version, equal, total };
  describe(report, adoption);
  if (options.dryRun) {
    if (report.json) {
      report.document({ plan: found });
    }
    report.line("nothing was written");
    return 0;
  }
  if (host.interactive && !options.yes && !report.json) {
    await confirmWriting(await host.prompter(), `Write that to ${STATE_FILE}?`);
  }
  await commit(host, { root, command: "adopt", changes: stateChange(files, adoption) });
  report.good(`Wrote ${STATE_FILE}; \`status\` and \`diff\` show what differs`);
  if (report.json) {
    report.document({ adopted: found });
  }
  return 0;
};

/** Whether the record is intact, or of a newer version. */
async function hasState(host: Host, root: string): Promise<boolean> {
  try {
    await serviceAt(host, root);
    return true;
  } catch (error) {
    if (error instanceof UserError && ["STATE_MISSING", "STATE_BROKEN"].includes(error.code)) {
      return false;
    }
    throw error;
  }
}

/** The versions that it may be of, the latest first: of two that are as near, that is the one. */
async function search(host: Host, report: Report, files: DiskTree): Promise<Adoption> {
  const current = await host.templates();
  const archive = await host.archive();
  const older = archive.versions.flatMap((version) => archive.templates(version) ?? []);
  const versions = [current, ...older.toReversed()];
  const adoption = await report.progress("Comparing with every version", async () =>
    findAnswers(versions, files),
  );
  if (!adoption) {
    throw new UserError(
      "STATE_MISSING",
      "this does not look like a service made by create-fetch-service: no version writes files like these",
      "go to a service's folder, or name it with --directory",
    );
  }
  return adoption;
}

function describe(report: Report, { answers, templates, equal, total }: Adoption): void {
  report.line(`made by version ${templates.version}, from these answers:`);
  for (const [key, value] of Object.entries(answers)) {
    report.line(`  ${key.padEnd(15)} ${Array.isArray(value) ? value.join(", ") || "none" : value}`);
  }
  report.line(`${equal} of ${total} files are exactly what that renders`);
}

function stateChange(files: DiskTree, { answers, templates }: Adoption): Change[] {
  const draft = new Draft(files);
  const state = render(templates, answers).get(STATE_FILE);
  if (state) {
    draft.write(STATE_FILE, { ...state, mode: files.get(STATE_FILE)?.mode ?? state.mode });
  }
  return draft.plan.changes;
}
