import { join } from "node:path";

import type { Answers } from "../../src/answers/schema.ts";
import { defaultAnswers } from "../../src/answers/schema.ts";
import type { Manifest } from "../../src/catalog/manifest.ts";
import { loadFiles, type Templates } from "../../src/catalog/templates.ts";
import { builtInTemplates } from "../../src/cli/templates.ts";
import { compileTemplate } from "../../src/plan/compile.ts";
import { disk } from "../../src/system/disk.ts";
import entry from "./fixture-integration/entry.json" with { type: "json" };

/** The project's own templates. */
export const templates: Templates = await builtInTemplates(disk);

const fixture = join(import.meta.dirname, "fixture-integration");

/** The project's templates and one more integration, added as anyone would: a folder and an entry. */
export const templatesWithFixture: Templates = {
  ...templates,
  manifest: {
    ...templates.manifest,
    integrations: [...templates.manifest.integrations, entry],
  },
  files: [...templates.files, ...(await loadFiles(disk, fixture, compileTemplate))],
};

/** Good answers, with the given ones among them. */
export function answersWith(
  given: Partial<Answers> = {},
  of: Manifest = templates.manifest,
): Answers {
  return { ...defaultAnswers(of), name: "demo-service", ...given };
}

/** Every choice that changes the tree's files: each framework and package manager, each subset of integrations. */
export function allVariants(manifest: Manifest): Answers[] {
  const subsets = manifest.integrations.reduce<string[][]>(
    (sets, { name }) => [...sets, ...sets.map((set) => [...set, name])],
    [[]],
  );
  return manifest.frameworks.flatMap((framework) =>
    manifest.packageManagers.flatMap((packageManager) =>
      subsets.map((integrations) =>
        answersWith({
          framework: framework.name,
          packageManager: packageManager.name,
          integrations,
        }),
      ),
    ),
  );
}

/** A variant's name in a test's title. */
export function titleOf({ framework, packageManager, integrations }: Answers): string {
  return [framework, packageManager, ...integrations].join(" + ");
}
