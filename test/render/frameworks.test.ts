import { expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import type { Tree } from "../../src/plan/tree.ts";
import { answersWith, templates } from "../support/templates.ts";

const integrations = templates.manifest.integrations.map(({ name }) => name);
const [first = "", ...others] = templates.manifest.frameworks.map(({ name }) => name);
const treeOf = (framework: string) => render(templates, answersWith({ framework, integrations }));

/** Everything else, routes, services and tests above all, does not know which framework serves it. */
const MAY_DIFFER = [
  ".fetch-service.json",
  "AGENTS.md",
  "README.md",
  "package.json",
  "src/app.ts",
  "src/platform/app.ts",
  "src/platform/http/express.ts",
  "src/platform/http/fastify.ts",
];

/** What the rest of the platform, a test and an integration use of app.ts, whatever the framework. */
const OFFERED = ["App", "Mounted", "Platform", "mount", "registerRoutes"];

it.each(others)(`%s differs from ${first} where the framework is itself`, (other) => {
  const [one, two] = [treeOf(first), treeOf(other)];
  expect(pathsThatDiffer(one, two)).toEqual(MAY_DIFFER);
  expect(linesThatDiffer(one, two, "AGENTS.md")).toHaveLength(1);
  expect(withoutPackages(one)).toEqual(withoutPackages(two));
});

it.each([first, ...others])("%s offers what does not depend on it", (framework) => {
  const offered = exportsOf(treeOf(framework));
  expect(OFFERED.filter((name) => !offered.includes(name))).toEqual([]);
});

function pathsThatDiffer(one: Tree, two: Tree): string[] {
  return [...new Set([...one.keys(), ...two.keys()])]
    .filter((path) => textOf(one, path) !== textOf(two, path))
    .sort();
}

function linesThatDiffer(one: Tree, two: Tree, path: string): string[] {
  const lines = textOf(two, path).split("\n");
  return textOf(one, path)
    .split("\n")
    .filter((line, index) => line !== lines[index]);
}

/** package.json without what it installs. */
function withoutPackages(tree: Tree): object {
  const {
    dependencies: _,
    devDependencies: __,
    ...rest
  } = JSON.parse(textOf(tree, "package.json"));
  return rest;
}

function exportsOf(tree: Tree): string[] {
  const exported = /^export (?:async )?(?:function|interface|type|const) \{?\s*(\w+)/gm;
  return [...textOf(tree, "src/platform/app.ts").matchAll(exported)].map(([, name = ""]) => name);
}

function textOf(tree: Tree, path: string): string {
  return Buffer.from(tree.get(path)?.bytes ?? []).toString("utf8");
}
