import { commit } from "../apply/commit.ts";
import { UserError } from "../errors.ts";
import { withAccepted } from "../plan/accepted.ts";
import { acceptedAs } from "../plan/accepting.ts";
import { Draft } from "../plan/draft.ts";
import type { Drift } from "../plan/drift.ts";
import { STATE_FILE } from "../plan/state.ts";
import type { ServiceCommand } from "./command.ts";
import { isAmong, isTeamDecision, readDrift } from "./drift.ts";
import { openService, servicePath } from "./open-service.ts";

/** Records differences from the template as wanted, so that `status --check` no longer minds them. */
export const accept: ServiceCommand = async (host, report, options) => {
  const service = await openService(host, report, options.directory);
  const { drifts, mine } = await readDrift(host, service);
  const ours = drifts.filter(({ yours }) => !yours);
  const paths = options.names.map((typed) => servicePath(host, service, typed));
  paths.forEach((path) => refuse(ours, path));
  const chosen = ours.filter(
    ({ path, kind }) => isTeamDecision(kind) && (paths.length === 0 || isAmong(path, paths)),
  );
  // What no longer differs needs no record.
  const accepted = new Map(
    [...service.state.accepted].filter(([path]) => ours.some((drift) => drift.path === path)),
  );
  const given = options.reason?.replaceAll(/\s+/g, " ").trim();
  for (const { path, accepted: before } of chosen) {
    const reason = (given ?? before?.reason) || undefined;
    accepted.set(path, acceptedAs(path, mine.get(path), reason));
  }
  const files = chosen.map(({ path, kind }) => ({ path, kind }));
  const undecided = ours.filter(({ kind }) => !isTeamDecision(kind));
  if (!options.dryRun) {
    const draft = new Draft(mine);
    const state = mine.get(STATE_FILE);
    if (state) {
      const bytes = withAccepted(state.bytes, accepted);
      draft.write(STATE_FILE, { bytes, mode: state.mode });
    }
    const { changes } = draft.plan;
    if (changes.length > 0) {
      await commit(host, { root: service.root, command: "accept", changes });
    }
  }
  if (report.json) {
    report.document({ [options.dryRun ? "plan" : "accepted"]: files });
    return 0;
  }
  files.forEach(({ path }) => report.line(`  ${path}`));
  undecided.forEach(({ path }) =>
    report.line(`- ${path} is not accepted: it is still to be decided`),
  );
  const count = `${files.length} ${files.length === 1 ? "difference" : "differences"}`;
  if (options.dryRun) {
    report.line(`${count} to accept; nothing was written`);
  } else {
    report.good(files.length > 0 ? `Accepted ${count}` : "Nothing to accept");
  }
  return 0;
};

function refuse(ours: readonly Drift[], path: string): void {
  const found = ours.filter((drift) => isAmong(drift.path, [path]));
  if (found.length === 0) {
    throw new UserError("USAGE", `${path} does not differ from the template`, "see status");
  }
  const undecided = found.find(({ kind }) => !isTeamDecision(kind));
  if (undecided) {
    throw new UserError(
      "UNRESOLVED_CONFLICT",
      `${undecided.path} is still to be decided`,
      "make one of the two versions, then accept it",
    );
  }
}
