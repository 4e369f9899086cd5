import { expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import { answersWith, templates } from "../support/templates.ts";

const installed = templates.manifest.packageManagers.filter(({ setup }) => setup);

it.each(installed)("package.json names the $name that CI and the image install", (one) => {
  const tree = render(templates, answersWith({ packageManager: one.name }));
  const bytes = Buffer.from(tree.get("package.json")?.bytes ?? []);
  const { packageManager, devEngines } = JSON.parse(bytes.toString("utf8"));
  const named =
    packageManager ?? `${devEngines.packageManager.name}@${devEngines.packageManager.version}`;
  expect(one.setup.split("@").at(-1)).toBe(named.split("@").at(-1));
});

it("no pnpm but the one that runs is downloaded, whatever version package.json names", () => {
  const tree = render(templates, answersWith({ packageManager: "pnpm" }));
  const bytes = Buffer.from(tree.get("package.json")?.bytes ?? []);
  // pnpm 10 downloads what `packageManager` names, and refuses it from a registry without signatures.
  expect(JSON.parse(bytes.toString("utf8"))).not.toHaveProperty("packageManager");
});
