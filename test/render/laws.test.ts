import { describe, expect, it } from "vitest";

import { wholeArchive } from "../support/archive.ts";
import { changed, created, edited, onDisk, type Service, textOf } from "../support/service.ts";
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

const archive = wholeArchive();

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

// The team's lines are where both versions have a place for them.
describe.each(["0.1.0", "0.2.0"])("a service of %s that a team has worked on", (version) => {
  const old = archive.templates(version) ?? templates;
  const service = [
    ["src/settings.ts", /^( *)SERVICE_NAME/m, "$1STORE_URL: z.url(),\n$&"],
    ["src/deps.ts", /^( *)\.\.\.\(await/m, "$1store: createStore(settings),\n$&"],
  ].reduce(withLine, created(old, answersWith()));

  it.each(["kafka", "s3"])("is brought up to date with its own lines, and gets %s", (name) => {
    const { service: now, plan } = changed(service, { templates, integrations: [name] });
    expect(plan).toMatchObject({ conflicts: [], findings: [] });
    expect(textOf(now, "src/settings.ts")).toMatch(
      /integrations\/settings\.ts[^]* STORE_URL: z\.url\(\)/,
    );
    expect(textOf(now, "src/deps.ts")).toMatch(
      / store: createStore\(settings\),\n.*openAll\(.*metrics/,
    );
  });

  // What was middleware has become the framework's own, and so has the list of routes: only the team can say what its
  // lines are there.
  it.each([
    ["middleware", /cors\(deps.*\)/, "$&, limits()"],
    ["a route", /scoreReceipt, listRules/, "$&, findStore"],
  ])("has %s in src/app.ts to decide, and nothing else", (_what, line, edit) => {
    const own = withLine(service, ["src/app.ts", line, edit]);
    const { service: now, plan } = changed(own, { templates });
    const marked = plan.conflicts.map(({ path, kind }) => `${kind} ${path}`);
    expect(marked).toEqual(["marked src/app.ts"]);
    expect(plan.findings).toEqual([]);
    const added = edit.replace("$&", "").replace(/^,? /, "");
    const [mine = ""] = /^<{7} yours\n[^]*^={7}\n/m.exec(textOf(now, "src/app.ts")) ?? [];
    expect(mine).toContain(added);
  });
});

describe("a service of 0.2.0 with an integration of the team's own", () => {
  const old = archive.templates("0.2.0") ?? templates;
  const others = old.manifest.integrations.map(({ name }) => name);
  const [last = ""] = others.slice(-1);
  const lists = ["src/integrations/index.ts", "test/integrations/index.ts"];
  lists.push("src/integrations/settings.ts", "src/integrations/routes.ts");

  it("is brought up to date, with it in every list", () => {
    // After the last of the others, in the way in which that one is listed.
    const service = lists.reduce(
      (now, path) =>
        edited(now, path, (text) =>
          text.replace(new RegExp(`^.*\\b${last}.*\n`, "gm"), (line) =>
            [line, line.replaceAll(last, "redis")].join(""),
          ),
        ),
      created(old, answersWith({ integrations: others })),
    );
    const { service: now, plan } = changed(service, { templates });
    expect(plan).toMatchObject({ conflicts: [], findings: [] });
    const wordsIn = (one: Service) => lists.map((path) => textOf(one, path).split("redis").length);
    expect(wordsIn(now)).toEqual(wordsIn(service));
    expect(Math.min(...wordsIn(now))).toBeGreaterThan(2);
  });
});

function withLine(service: Service, [path, line, edit]: (string | RegExp)[]): Service {
  return edited(service, String(path), (text) => {
    const changedText = text.replace(line ?? "", String(edit));
    expect(changedText).not.toBe(text);
    return changedText;
  });
}

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
