import { describe, expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import { importsOf, textsBelow } from "../support/source-text.ts";
import { answersWith, templates } from "../support/templates.ts";

const PLATFORM = "src/platform/";
const integrations = templates.manifest.integrations.map(({ name }) => name);

/** Modules inside a folder of the platform that a file of the service imports all the same. */
const DOORS: Record<string, string> = {
  "src/main.ts": "src/platform/lifespan/start.ts",
  "src/cluster.config.ts": "src/platform/cluster/config.ts",
  "src/commands/openapi.ts": "src/platform/lifespan/worker.ts",
};

const variants = templates.manifest.frameworks.flatMap((framework) =>
  [[], integrations].map((chosen) => ({
    title: [framework.title, ...chosen].join(" + "),
    answers: answersWith({ framework: framework.name, integrations: chosen }),
  })),
);

describe.each(variants)("a service on $title", ({ answers }) => {
  const files = textsBelow(render(templates, answers), "src/");
  const imports = new Map([...files].map(([path, text]) => [path, importsOf(path, text)]));
  const platform = [...imports].filter(([path]) => path.startsWith(PLATFORM));

  it("has a platform that imports nothing from outside itself", () => {
    const outward = platform.flatMap(([path, targets]) =>
      targets.filter((target) => !target.startsWith(PLATFORM)).map((to) => `${path} → ${to}`),
    );
    expect(outward).toEqual([]);
  });

  it("imports only files that it has", () => {
    const missing = [...imports].flatMap(([path, targets]) =>
      targets
        .filter((target) => target.startsWith("src/") && !files.has(target))
        .map((to) => `${path} → ${to}`),
    );
    expect(missing).toEqual([]);
  });

  it("has no circle of imports, types included", () => {
    expect(circlesIn(imports)).toEqual([]);
  });

  it("uses of the platform what is at its top, or at the top of an integration's folder", () => {
    const inward = [...imports]
      .filter(([path]) => !path.startsWith(PLATFORM))
      .flatMap(([path, targets]) =>
        targets
          .filter((target) => target.startsWith(PLATFORM) && !isPublic(path, target))
          .map((to) => `${path} → ${to}`),
      );
    expect(inward).toEqual([]);
  });
});

function isPublic(path: string, target: string): boolean {
  const [folder = "", ...below] = target.slice(PLATFORM.length).split("/");
  return below.length === 0 || integrations.includes(folder) || target === DOORS[path];
}

describe("the check for circles", () => {
  it.each([
    [{ a: ["b"], b: ["c"], c: [] }, []],
    [{ a: ["a"] }, ["a → a"]],
    [{ a: ["b"], b: ["c"], c: ["b"] }, ["b → c → b"]],
  ])("%j", (graph: Record<string, string[]>, circles) => {
    expect(circlesIn(new Map(Object.entries(graph)))).toEqual(circles);
  });
});

/** Each circle that a walk through the imports comes upon, as the files that it goes through. */
function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path);
    if (start !== -1) circles.push([...trail.slice(start), path].join(" → "));
    if (start !== -1 || done.has(path)) return;
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return circles;
}
