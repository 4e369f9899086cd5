import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { readArchive } from "../../src/catalog/archive.ts";
import { compileTemplate } from "../../src/plan/compile.ts";
import { ARCHIVE } from "../support/archive.ts";
import { changed, created, edited, onDisk, textOf } from "../support/service.ts";
import { render } from "../../src/plan/render.ts";
import { allVariants, answersWith, templatesWithFixture, titleOf } from "../support/templates.ts";

// One integration more than there are: the laws hold for those to come.
const templates = templatesWithFixture;
const names = templates.manifest.integrations.map(({ name }) => name);

/** Every choice of framework and integrations, with the usual package manager. */
const variants = allVariants(templates.manifest).filter(
  ({ packageManager }) => packageManager === templates.manifest.packageManagers[0]?.name,
);

const titled = variants.map((answers) => ({ title: titleOf(answers), answers }));
const nothing = { changes: [], conflicts: [], findings: [] };

describe.each(titled)("$title", ({ answers }) => {
  const service = created(templates, answers);
  const others = names.filter((name) => !answers.integrations.includes(name));

  it("stays as it is when nothing is wanted", () => {
    expect(changed(service, {}).plan).toEqual(nothing);
  });

  it.each(others)("and %s is what a create with both writes", (name) => {
    const integrations = [...answers.integrations, name];
    const added = changed(service, { integrations });
    expect(added.plan).toMatchObject({ conflicts: [], findings: [] });
    expect(sorted(added.service.files)).toEqual(
      sorted(onDisk(render(templates, { ...answers, integrations }))),
    );
    expect(changed(added.service, { integrations }).plan).toEqual(nothing);
    const removed = changed(added.service, { integrations: answers.integrations });
    expect(removed.plan).toMatchObject({ conflicts: [], findings: [] });
    expect(sorted(removed.service.files)).toEqual(sorted(service.files));
  });
});

describe("in any order", () => {
  it.each(ordersOf(names).map((order) => ({ order })))("$order", ({ order }) => {
    let service = created(templates, answersWith());
    order.forEach((_, index) => {
      ({ service } = changed(service, { integrations: order.slice(0, index + 1) }));
    });
    const atOnce = render(templates, answersWith({ integrations: order }));
    expect(sorted(service.files)).toEqual(sorted(onDisk(atOnce)));
  });
});

const archive = readArchive(readFileSync(ARCHIVE), compileTemplate);

describe.each(archive.versions)("a service of %s", (version) => {
  const old = archive.templates(version) ?? templates;

  it.each(allVariants(old.manifest).map((answers) => ({ title: titleOf(answers), answers })))(
    "is brought up to date: $title",
    ({ answers }) => {
      const updated = changed(created(old, answers), { templates });
      expect(updated.plan).toMatchObject({ conflicts: [], findings: [] });
      expect(sorted(updated.service.files)).toEqual(sorted(onDisk(render(templates, answers))));
    },
  );
});

describe("a service of 0.1.0 that a team has worked on", () => {
  const old = archive.templates("0.1.0") ?? templates;
  const service = [
    ["src/settings.ts", /^( *)SERVICE_NAME/m, "$1STORE_URL: z.url(),\n$&"],
    ["src/deps.ts", /^( *)\.\.\.\(await/m, "$1store: createStore(settings),\n$&"],
    ["src/app.ts", /cors\(deps.*\)/, "$&, limits()"],
  ].reduce(
    (now, [path, line, edit]) =>
      edited(now, String(path), (text) => text.replace(line ?? "", String(edit))),
    created(old, answersWith()),
  );

  it("is brought up to date, with its own lines where they were", () => {
    const { service: now, plan } = changed(service, { templates, integrations: ["kafka"] });
    // What was middleware has become the framework's own: only the team can say what its line is there.
    const marked = plan.conflicts.map(({ path, kind }) => `${kind} ${path}`);
    expect(marked).toEqual(["marked src/app.ts"]);
    expect(plan.findings).toEqual([]);
    expect(textOf(now, "src/settings.ts")).toMatch(
      /integrations\/settings\.ts[^]* STORE_URL: z\.url\(\)/,
    );
    expect(textOf(now, "src/deps.ts")).toMatch(
      / store: createStore\(settings\),\n.*openAll\(.*metrics/,
    );
    expect(textOf(now, "src/app.ts")).toMatch(/^<{7} yours\n[^]*limits\(\)[^]*^={7}\n/m);
  });
});

function sorted(files: ReadonlyMap<string, { bytes: Uint8Array; mode: number }>) {
  return [...files]
    .map(
      ([path, { bytes, mode }]) =>
        `${path} ${mode.toString(8)} ${Buffer.from(bytes).toString("latin1")}`,
    )
    .sort();
}

function ordersOf(items: readonly string[]): string[][] {
  return items.length === 0
    ? [[]]
    : items.flatMap((item) =>
        ordersOf(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
      );
}
