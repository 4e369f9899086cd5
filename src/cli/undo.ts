import { commit } from "../apply/commit.ts";
import { install } from "../apply/install.ts";
import { readUndo } from "../apply/undo.ts";
import { UserError } from "../errors.ts";
import { changeLine, countsOf } from "./change-wording.ts";
import type { ServiceCommand } from "./commands.ts";
import type { Host } from "./host.ts";
import { findRoot, openService } from "./open-service.ts";
import type { Report } from "./report.ts";

/** Goes back to before the last command. */
export const undo: ServiceCommand = async (host, report, options) => {
  const root = await findRoot(host, report, options.directory);
  const { command, changes } = await readUndo(host.fs, root);
  const files = changes.map(({ path, kind }) => ({ path, kind }));
  if (options.dryRun) {
    if (report.json) {
      report.document({ plan: { command: `undo ${command}`, changes: files } });
    } else {
      report.line(`undo ${command}:`);
      changes.forEach((change) => report.line(changeLine(change)));
      report.line(`${countsOf(changes)}; nothing was written`);
    }
    return 0;
  }
  await commit(host, { root, command: "undo", changes, undoes: true });
  report.good(`Undid ${command}: ${countsOf(changes)}`);
  const packages = changes.some(({ path }) => path === "package.json");
  const installed = packages && (await installAgain(host, report, options.directory, options));
  if (report.json) {
    report.document({ undone: { command, changes: files }, installed });
  }
  return 0;
};

/** The packages are those of the service as it was. */
async function installAgain(
  host: Host,
  report: Report,
  directory: string | undefined,
  options: { install?: boolean },
): Promise<boolean> {
  const { packageManager, root } = await openService(host, report, directory);
  if (options.install === false) {
    report.line(`Next: ${packageManager.install}`);
    return false;
  }
  try {
    await report.progress(`Installing with ${packageManager.install}`, () =>
      install(host.commands, packageManager, root, host.signal),
    );
    return true;
  } catch (error) {
    if (error instanceof UserError) {
      const { code, message, hint } = error;
      const next = `go on with: ${packageManager.install}`;
      throw new UserError(code, message, hint ? `${hint}; ${next}` : next);
    }
    throw error;
  }
}
