import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { beforeAll, describe, expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import { createService, runScript, sharedInstall, typecheckAll } from "../support/generated.ts";
import { layPlatformTests, PLATFORM_TESTS, platformTestsOf } from "../support/platform-tests.ts";
import { allVariants, templates, titleOf } from "../support/templates.ts";

// No test may fail because the machine is slow. Vitest itself would leave one processor idle.
const AT_LEISURE = ["--testTimeout=600000", "--hookTimeout=600000", "--maxWorkers=100%"];

// Which package manager there is changes no code.
const variants = allVariants(templates.manifest)
  .filter(({ packageManager }) => packageManager === "npm")
  .map((answers) => ({ title: titleOf(answers), ...answers }));

// Integrations know nothing of each other: what works alone and among all works in between, if it fits together.
const isTried = ({ integrations }: { integrations: readonly string[] }): boolean =>
  integrations.length <= 1 || integrations.length === templates.manifest.integrations.length;
const tried = variants.filter(isTried);
const between = variants.filter((variant) => !isTried(variant));

it("every folder of the platform's tests runs in some service", () => {
  const run = new Set(
    tried.flatMap(({ framework, integrations }) => platformTestsOf(framework, integrations)),
  );
  expect([...run].sort()).toEqual(readdirSync(PLATFORM_TESTS).sort());
});

it(`the ${between.length} services in between pass the type check`, async () => {
  const folder = join(await sharedInstall(), "between");
  rmSync(folder, { recursive: true, force: true });
  const directories = between.map(({ title, ...answers }) => {
    for (const [path, { bytes }] of render(templates, answers)) {
      const file = join(folder, title, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytes);
    }
    return title;
  });
  await typecheckAll(folder, directories);
});

describe.each(tried)("a service with $title", ({ framework, integrations }) => {
  let directory: string;

  beforeAll(async () => {
    const name = [framework, ...integrations].join("-");
    const flags = ["--framework", framework, "--integrations", integrations.join() || "none"];
    directory = await createService(name, flags);
    layPlatformTests(directory, platformTestsOf(framework, integrations));
  });

  it.each(["typecheck", "lint", "format:check"])("passes npm run %s", async (script) => {
    const output = await runScript(directory, script);
    expect(output.replace("Found 0 warnings", "")).not.toMatch(/warn/i);
  });

  // What compares a fake with a real server is skipped without one.
  it("passes its own tests, and the platform's where it has them", async () => {
    const output = await runScript(directory, "test", AT_LEISURE);
    if (integrations.length === 0) expect(output).not.toMatch(/\d+ skipped/);
  });
});
