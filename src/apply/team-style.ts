import type { Finding } from "../plan/plan.ts";
import { filesToFormat, inTeamStyle, type Trees, UNFORMATTED } from "../plan/team-style.ts";
import { findFormatter } from "./find-formatter.ts";
import { type FormatTools, runFormatter } from "./run-formatter.ts";

/** Both renders in the team's format. */
export interface Styled extends Pick<Trees, "base" | "theirs"> {
  /** Says that the team's formatter could not run, so that files are merged as they are. */
  findings: Finding[];
}

/** Shows that something is being worked on. */
export type Progress = <Result>(title: string, work: () => Promise<Result>) => Promise<Result>;

/** Brings what the template wrote and writes into the format that the team gave its files. */
export async function styleForTeam(
  tools: FormatTools,
  root: string,
  trees: Trees,
  progress: Progress,
): Promise<Styled> {
  const files = filesToFormat(trees);
  const count = new Set([...files.base.keys(), ...files.theirs.keys()]).size;
  const formatter = count > 0 ? await findFormatter(tools.fs, root, trees) : undefined;
  if (!formatter) {
    return { ...inTeamStyle(trees, UNFORMATTED), findings: [] };
  }
  const { problem, ...formatted } = await progress(
    `Formatting ${count} files with ${formatter.name}`,
    () => runFormatter(tools, formatter, files),
  );
  const message = `${formatter.name} could not run, so files come in the template's format: ${problem}`;
  const finding = { path: "package.json", kind: "unformatted" as const, message };
  const findings = problem === undefined ? [] : [finding];
  return { ...inTeamStyle(trees, formatted), findings };
}
