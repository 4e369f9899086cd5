import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { problemsOf } from "../support/template-paths.ts";
import { templates } from "../support/templates.ts";

const ROOT = join(import.meta.dirname, "../../templates");
const { slots } = templates.manifest;

describe("every value in a template is in the context", () => {
  const rendered = templates.files.filter((file) => file.path.endsWith(".hbs"));

  it.each(rendered.map((file) => file.path))("%s", (path) => {
    expect(problemsOf(readFileSync(join(ROOT, path), "utf8"), slots)).toEqual([]);
  });
});

describe("the check itself", () => {
  it.each([
    ["{{nam}}", "nam is not in the context"],
    ["{{#if nam}}x{{/if}}", "nam is not in the context"],
    ["{{#each integrations}}{{port}}{{/each}}", "port is not in the context"],
    ["{{#each integrations}}{{name}} {{../port}}{{/each}}", undefined],
    ["{{#each integrations}}x{{else}}{{port}}{{/each}}", undefined],
    ["{{#with framework}}{{title}}{{/with}}", undefined],
    ["{{#each slots.readme}}{{this}}{{/each}}", undefined],
    ["{{#each slots.attic}}{{this}}{{/each}}", "slots.attic is not in the context"],
    ["{{#each name}}x{{/each}}", "name is no list"],
    ["{{integrations}}", "integrations is no text"],
    ["{{upper name}}", "upper is a helper"],
    ["{{> other}}", "PartialStatement is not allowed"],
    ["{{#repeat name}}x{{/repeat}}", "{{#repeat}} is not allowed"],
  ])("%s", (source, problem) => {
    expect(problemsOf(source, slots)).toEqual(problem === undefined ? [] : [problem]);
  });
});
