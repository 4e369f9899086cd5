import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { packageRoot } from "../src/platform/package-info.ts";
import { settingsSchema } from "../src/settings.ts";

const readme = readFileSync(new URL("README.md", packageRoot), "utf8");

test.each(Object.keys(settingsSchema.shape))("README.md explains the setting %s", (variable) => {
  expect(readme).toContain(`| \`${variable}\``);
});
