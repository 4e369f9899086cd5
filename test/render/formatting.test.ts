import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { wholeArchive } from "../support/archive.ts";
import { changed, created, edited, type Service, textOf } from "../support/service.ts";
import { changedInStyle, formatted, STYLES } from "../support/styles.ts";
import { answersWith, templates } from "../support/templates.ts";

const archive = wholeArchive();
const names = templates.manifest.integrations.map(({ name }) => name);
const oldest = archive.templates(archive.versions[0] ?? "") ?? templates;

/** A service before and after each command. */
const COMMANDS = [
  { command: "add", before: created(templates, answersWith()), wish: { integrations: names } },
  {
    command: "remove",
    before: created(templates, answersWith({ integrations: names })),
    wish: { integrations: [] },
  },
  { command: "update", before: created(oldest, answersWith()), wish: { templates } },
];

const cases = Object.keys(STYLES).flatMap((style) =>
  COMMANDS.map((command) => ({ style, ...command })),
);

describe.each(cases)("$style: $command", ({ style, before, wish }) => {
  const wanted = formatted(style, changed(before, wish).service);

  it("is the same before and after the team formats its service", async () => {
    const { service, plan } = await changedInStyle(style, await formatted(style, before), wish);
    expect(plan).toMatchObject({ conflicts: [], findings: [] });
    expect(textsIn(service)).toEqual(textsIn(await wanted));
  });

  it("is the same in a service that the team has not formatted yet", async () => {
    const { service, plan } = await changedInStyle(style, before, wish);
    expect(plan).toMatchObject({ conflicts: [], findings: [] });
    expect(textsIn(await formatted(style, service))).toEqual(textsIn(await wanted));
  });

  it("takes no format for an edit where no formatter can run", async () => {
    const { service, plan } = changed(await formatted(style, before), wish);
    expect(plan).toMatchObject({ conflicts: [], findings: [] });
    expect(textsIn(await formatted(style, service))).toEqual(textsIn(await wanted));
  });

  it("keeps what the team wrote, with no more conflicts than without a formatter", async () => {
    const own = EDITS.filter(({ path }) => before.files.has(path)).reduce(
      (now, { path, find, put }) => edited(now, path, (text) => text.replace(find, put)),
      before,
    );
    const plain = changed(own, wish);
    const { service, plan } = await changedInStyle(style, await formatted(style, own), wish);
    expect(plan.conflicts).toEqual(plain.plan.conflicts);
    expect(textsIn(service)).toEqual(textsIn(await formatted(style, plain.service)));
  });
});

describe("any service in any style", () => {
  const subset = fc.subarray(names);
  const choices = fc.record({
    style: fc.constantFrom(...Object.keys(STYLES)),
    framework: fc.constantFrom(...templates.manifest.frameworks.map(({ name }) => name)),
    before: subset,
    after: subset,
  });

  it("is what its team's formatter would make of the same without it", async () => {
    await fc.assert(
      fc.asyncProperty(choices, async ({ style, framework, before, after }) => {
        const old = created(templates, answersWith({ framework, integrations: before }));
        const now = created(templates, answersWith({ framework, integrations: after }));
        const wish = { integrations: after };
        const { service, plan } = await changedInStyle(style, await formatted(style, old), wish);
        expect(plan).toMatchObject({ conflicts: [], findings: [] });
        expect(textsIn(service)).toEqual(textsIn(await formatted(style, now)));
      }),
      { numRuns: 12 },
    );
  });

  it("keeps every line of its team", async () => {
    const fraction = fc.double({ min: 0, max: 0.999_999, noNaN: true });
    const edits = fc.array(fc.tuple(fraction, fraction), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(choices, edits, async ({ style, before, after }, places) => {
        const old = created(templates, answersWith({ integrations: before }));
        const paths = [...old.files.keys()].filter((path) => path.endsWith(".ts"));
        const own = places.reduce((service, [file, line], index) => {
          const path = paths[Math.floor(file * paths.length)] ?? "";
          return edited(service, path, (text) => withLine(text, line, `// own-${index}-word`));
        }, old);
        const wish = { integrations: after };
        const { service } = await changedInStyle(style, await formatted(style, own), wish);
        const text = Object.values(textsIn(service)).join("\n");
        expect(places.filter((_, index) => !text.includes(`own-${index}-word`))).toEqual([]);
      }),
      { numRuns: 12 },
    );
  });
});

function withLine(text: string, where: number, line: string): string {
  const lines = text.split("\n");
  return lines.toSpliced(Math.floor(where * lines.length), 0, line).join("\n");
}

const EDITS: readonly { path: string; find: string | RegExp; put: string }[] = [
  { path: "src/app.ts", find: /^import /m, put: 'import "./own.ts";\nimport ' },
  { path: "src/platform/cors.ts", find: /^import /m, put: "// Reviewed.\nimport " },
  { path: "src/platform/errors.ts", find: /^}\n/m, put: "  // The end.\n}\n" },
  { path: "package.json", find: '    "pino":', put: '    "nanoid": "6.0.2",\n    "pino":' },
  { path: "fsd.yml", find: "max_count: 10", put: "max_count: 40" },
  {
    path: "compose.yaml",
    find: "ENVIRONMENT: dev\n",
    put: "ENVIRONMENT: dev\n      REGION: north\n",
  },
  {
    path: "README.md",
    find: "## Test\n",
    put: "## Stores\n\nEvery store has 4 digits.\n\n## Test\n",
  },
  { path: ".gitignore", find: "*.log\n", put: "*.log\nletters/\n" },
];

function textsIn(service: Service): Record<string, string> {
  const paths = [...service.files.keys()].sort();
  return Object.fromEntries(paths.map((path) => [path, textOf(service, path)]));
}
