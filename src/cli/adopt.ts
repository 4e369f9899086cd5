import { join } from "node:path";

import { commit } from "../apply/commit.ts";
import { readService } from "../apply/read-service.ts";
import { UserError } from "../errors.ts";
import { type Adoption, adopt as findAnswers } from "../plan/adopt.ts";
import { blobId } from "../plan/blob-id.ts";
import type { Change } from "../plan/plan.ts";
import { render } from "../plan/render.ts";
import { STATE_FILE } from "../plan/state.ts";
import type { ServiceCommand } from "./commands.ts";
import type { Host } from "./host.ts";
import { findRoot } from "./open-service.ts";
import type { Report } from "./report.ts";

/** Rebuilds the record of how a service was made, from its files. */
export const adopt: ServiceCommand = async (host, report, options) => {
  const root = await findRoot(host, report, options.directory);
  const adoption = await search(host, report, root);
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
    await confirm(host);
  }
  const change = await stateChange(host, root, adoption);
  if (change) {
    await commit(host, { root, command: "adopt", changes: [change] });
    report.good(`Wrote ${STATE_FILE}; \`status\` and \`diff\` show what differs`);
  } else {
    report.good(`Nothing to do: ${STATE_FILE} says so already`);
  }
  if (report.json) {
    report.document({ adopted: found });
  }
  return 0;
};

/** The versions that it may be of, the latest first: of two that are as near, that is the one. */
async function search(host: Host, report: Report, root: string): Promise<Adoption> {
  const current = await host.templates();
  const archive = await host.archive();
  const older = archive.versions.flatMap((version) => archive.templates(version) ?? []);
  const versions = [current, ...older.toReversed()];
  const { files } = await readService(host.fs, root, new Set(HIDDEN));
  const adoption = await report.progress("Comparing with every version", async () =>
    findAnswers(versions, files),
  );
  if (!adoption) {
    throw new UserError(
      "STATE_MISSING",
      "this is hardly a service of create-fetch-service's: no version writes files like these",
      "go to a service's folder, or name it with --directory",
    );
  }
  return adoption;
}

// Folders that are read only when something in them is asked for.
const HIDDEN = [".github/workflows/ci.yml"];

function describe(report: Report, { answers, templates, equal, total }: Adoption): void {
  report.line(`made by version ${templates.version}, from these answers:`);
  for (const [key, value] of Object.entries(answers)) {
    report.line(`  ${key.padEnd(15)} ${Array.isArray(value) ? value.join(", ") || "none" : value}`);
  }
  report.line(`${equal} of ${total} files are exactly what that renders`);
}

async function confirm(host: Host): Promise<void> {
  const prompter = await host.prompter();
  const message = `Write that to ${STATE_FILE}?`;
  if (!(await prompter.confirm({ message, default: true }))) {
    throw new UserError("INTERRUPTED", "stopped; nothing was written");
  }
}

async function stateChange(
  { fs }: Host,
  root: string,
  { answers, templates }: Adoption,
): Promise<Change | undefined> {
  const state = render(templates, answers).get(STATE_FILE);
  const path = join(root, STATE_FILE);
  const old = (await fs.kindOf(path)) === "file" ? await fs.readFile(path) : undefined;
  if (!state || (old && Buffer.compare(old, state.bytes) === 0)) {
    return undefined;
  }
  const common = { path: STATE_FILE, conflicts: 0, notes: [] };
  return old
    ? {
        ...common,
        kind: "update",
        before: { id: blobId(old), mode: await fs.modeOf(path) },
        after: { bytes: state.bytes, mode: await fs.modeOf(path) },
      }
    : { ...common, kind: "create", before: null, after: state };
}
