import { commit } from "../apply/commit.ts";
import { readUndo } from "../apply/undo.ts";
import { changeLine, countsOf, type InstallResult } from "./change-report.ts";
import { installChanged } from "./change.ts";
import type { ServiceCommand } from "./command.ts";
import { goThere } from "./next-steps.ts";
import { findRoot, serviceAt } from "./open-service.ts";

/** Goes back to before the last command. */
export const undo: ServiceCommand = async (host, report, options) => {
  const root = await findRoot(host, report, options.directory);
  const { command, changes, kept } = await readUndo(host.fs, root, options.forceFiles);
  const files = changes.map(({ path, kind }) => ({ path, kind }));
  const sayKept = () =>
    kept.forEach((path) => report.line(`- ${path} changed since, and stays as it is`));
  if (options.dryRun) {
    if (report.json) {
      report.document({ plan: { command: `undo ${command}`, changes: files, kept } });
    } else {
      report.line(`undo ${command}:`);
      changes.forEach((change) => report.line(changeLine(change)));
      sayKept();
      report.line(`${countsOf(changes)}; nothing was written`);
    }
    return 0;
  }
  // What cannot be read is said before anything is written.
  const packages = changes.some(({ path }) => path === "package.json");
  const service = packages ? await serviceAt(host, root) : undefined;
  await commit(host, { root, command: "undo", changes, undoes: true });
  report.good(`Undid ${command}: ${countsOf(changes)}`);
  sayKept();
  const { installed, failure }: InstallResult = service
    ? await installChanged(host, report, service, changes, options)
    : { installed: undefined };
  const nextSteps =
    service && installed === false
      ? [...goThere(service.directory), service.packageManager.install]
      : [];
  if (report.json) {
    const done = {
      undone: { command, changes: files, kept },
      installed: installed ?? false,
      nextSteps,
    };
    return report.result(done, failure) ?? 0;
  }
  report.nextSteps(nextSteps);
  return failure ? report.failure(failure.error) : 0;
};
