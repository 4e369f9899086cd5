import { quoteForShell } from "../answers/flags.ts";
import { install } from "../apply/install.ts";
import type { PackageManager } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import type { Host } from "./host.ts";
import type { Report } from "./report.ts";
import { withContinuation } from "./wording.ts";

/** What became of a service's packages after its files were written. */
export interface Ending {
  /** Undefined when there was nothing to install. */
  installed: boolean | undefined;
  /** Why the install failed. The files are written all the same, so they are told of first. */
  failure?: { error: unknown };
}

/** Installs what a change brought, or took, when package.json is part of it. */
export async function installChanged(
  host: Host,
  report: Pick<Report, "progress">,
  service: { root: string; directory: string; packageManager: PackageManager },
  changes: readonly { path: string }[],
  options: { install?: boolean },
): Promise<Ending> {
  const { root, packageManager } = service;
  if (!changes.some(({ path }) => path === "package.json")) {
    return { installed: undefined };
  }
  if (options.install === false) {
    return { installed: false };
  }
  try {
    await report.progress(`Installing with ${packageManager.install}`, () =>
      install(host.commands, packageManager, root, host.signal),
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
  const whole = "interrupted; the service's files are written and whole";
  const command = [...goThere(directory), packageManager.install].join(" && ");
  return error instanceof UserError ? withContinuation(error, whole, command) : error;
}

/** The command that goes to the service's folder, unless the user is there. */
export function goThere(directory: string): string[] {
  return directory === "" ? [] : [`cd ${quoteForShell(directory)}`];
}
