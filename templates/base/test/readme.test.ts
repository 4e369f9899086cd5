import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { settingsSchema } from "../src/settings.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

test.each(Object.keys(settingsSchema.shape))("README.md explains the setting %s", (variable) => {
  expect(readme).toContain(`| \`${variable}\``);
});
