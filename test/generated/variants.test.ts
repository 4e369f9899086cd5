import { beforeAll, describe, expect, it } from "vitest";

import { createService, runScript } from "../support/generated.ts";
import { allVariants, templates, titleOf } from "../support/templates.ts";

// The one without integrations has tests of its own. Which package manager there is changes no code.
const variants = allVariants(templates.manifest)
  .filter(({ packageManager, integrations }) => packageManager === "npm" && integrations.length > 0)
  .map((answers) => ({ title: titleOf(answers), ...answers }));

describe.each(variants)("a service with $title", ({ framework, integrations }) => {
  let directory: string;

  beforeAll(async () => {
    const name = [framework, ...integrations].join("-");
    const flags = ["--framework", framework, "--integrations", integrations.join()];
    directory = await createService(name, flags);
  });

  it.each(["typecheck", "lint", "format:check"])("passes npm run %s", async (script) => {
    const output = await runScript(directory, script);
    expect(output.replace("Found 0 warnings", "")).not.toMatch(/warn/i);
  });

  // The cluster is the same in all of them, and its tests take longest.
  it("passes its own tests", async () => {
    await runScript(directory, "test", ["--exclude", "test/cluster/**"]);
  });
});
