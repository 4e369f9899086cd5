import { entryNamed } from "../catalog/manifest.ts";
import type { Tree } from "../plan/tree.ts";
import type { Changing } from "./change.ts";
import { goThere } from "./change-install.ts";
import { serverStarts } from "./wording.ts";

const SETTINGS = ".env.example";

/** What is left to the user after a change, in the order in which it is done. */
export function nextSteps(changing: Changing, installed: boolean | undefined): string[] {
  const { service, plan, base, theirs, answers, templates } = changing;
  if (plan.changes.length === 0) {
    return [];
  }
  const packageManager = entryNamed(templates.manifest.packageManagers, answers.packageManager);
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
  const text = Buffer.from(tree.get(SETTINGS)?.bytes ?? []).toString("utf8");
  return [...text.matchAll(/^#? ?([A-Z][A-Z0-9_]*)=/gm)].map(([, name = ""]) => name);
}
