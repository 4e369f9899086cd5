import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import { answersWith, templates } from "../support/templates.ts";

const ROOT = join(import.meta.dirname, "../../templates");

/** Templates loop over what was chosen; they ask nothing. These may, each with its reason. */
const BRANCHES: Record<string, { count: number; why: string }> = {
  "base/compose.yaml.hbs": {
    count: 1,
    why: "Compose refuses an `include` without a file",
  },
  "base/fsd.yml.hbs": {
    count: 2,
    why: "YAML writes an empty list of dependencies or statements in another way than a full one",
  },
};

describe("templates do not branch", () => {
  const files = templates.files.filter(({ path }) => path.endsWith(".hbs"));

  it.each(files.map(({ path }) => path))("%s", (path) => {
    const branches = readFileSync(join(ROOT, path), "utf8").match(/\{\{#(?:if|unless|with)\b/g);
    expect(branches?.length ?? 0).toBe(BRANCHES[path]?.count ?? 0);
  });
});

describe.each(templates.manifest.packageManagers)("what $name needs first", ({ name, setup }) => {
  const tree = render(templates, answersWith({ packageManager: name }));

  it.each(["Dockerfile", ".github/workflows/ci.yml", ".github/workflows/update.yml"])(
    "stands in %s",
    (path) => {
      const text = Buffer.from(tree.get(path)?.bytes ?? []).toString("utf8");
      expect(text).toContain(setup);
    },
  );
});
