import { afterAll, beforeAll, describe, expect, test } from "vitest";

import manifest from "../../templates/manifest.json" with { type: "json" };
import { runCheck } from "../../src/verify/check.ts";
import { dependencyChecks } from "../../src/verify/checks/dependencies.ts";
import { ALL_CHECKS } from "./checks.ts";
import { buildService } from "./service/build.ts";
import { launcherOf } from "./service/launch.ts";
import { fuzz } from "./service/schemathesis.ts";
import { targetOf } from "./service/target-of.ts";
import type { Instance, Launch, Target } from "../../src/verify/target.ts";

const notes: string[] = [];

describe.each(manifest.frameworks)("a generated $title service", ({ name }) => {
  let launch: Launch;
  let instance: Instance | undefined;
  let target: Target;

  beforeAll(async () => {
    launch = launcherOf(await buildService(name));
    instance = await launch({ workers: 2 });
    target = targetOf(instance, launch);
  });

  afterAll(async () => {
    await instance?.stop();
  });

  // Every hook but the dependencies is given here, so "not checked" is as bad as "failed".
  test.each(ALL_CHECKS.filter((check) => !dependencyChecks.includes(check)))(
    "$id",
    async (check) => {
      const { id, sentence, outcome, note } = await runCheck(check, target);
      expect(
        outcome,
        `${note}
the standard: ${sentence}`,
      ).toBe("passed");
      if (note) notes.push(`${name} ${id}: ${note}`);
    },
  );

  test("fuzzed from its openapi.json", async (context) => {
    await fuzz(launch, context);
  });
});

afterAll(() => {
  process.stdout.write(`${notes.join("\n")}\n`);
});
