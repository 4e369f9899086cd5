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
  "src/platform/http/adapter.ts",
  "src/platform/http/body.ts",
  "src/platform/http/target.ts",
];

it.each(others)(`%s differs from ${first} in the adapter, and where its name stands`, (other) => {
  const [one, two] = [treeOf(first), treeOf(other)];
  expect(pathsThatDiffer(one, two)).toEqual(MAY_DIFFER);
  // README.md has a section on what of the framework a team can use.
  expect(linesThatDiffer(one, two, "AGENTS.md")).toHaveLength(1);
  expect(withoutPackages(one)).toEqual(withoutPackages(two));
});

it.each(others)(`%s has an adapter with the exports of ${first}'s`, (other) => {
  expect(exportsOf(treeOf(other))).toEqual(exportsOf(treeOf(first)));
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
  return textOf(tree, "src/platform/http/adapter.ts").match(/^export .*?\w+ \w+/gm) ?? [];
}

function textOf(tree: Tree, path: string): string {
  return Buffer.from(tree.get(path)?.bytes ?? []).toString("utf8");
}
