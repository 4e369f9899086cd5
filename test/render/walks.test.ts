import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Plan } from "../../src/plan/plan.ts";
import { readState, recordedAnswers } from "../../src/plan/read-state.ts";
import { render } from "../../src/plan/render.ts";
import { STATE_FILE } from "../../src/plan/state.ts";
import { nextOf } from "../support/next-templates.ts";
import {
  changed,
  created,
  edited,
  integrationsOf,
  onDisk,
  type Service,
  textOf,
} from "../support/service.ts";
import { answersWith, templatesWithFixture } from "../support/templates.ts";

const templates = { ...templatesWithFixture, version: "97.0.0" };
const next = nextOf(templates);
const names = templates.manifest.integrations.map(({ name }) => name);

describe("versions", () => {
  it("are the same whether an integration is added before or after an update", () => {
    const service = created(templates, answersWith());
    const [one, two] = [
      changed(changed(service, { integrations: names }).service, { templates: next }),
      changed(changed(service, { templates: next }).service, { integrations: names }),
    ];
    const wanted = onDisk(render(next, answersWith({ integrations: names })));
    expect(one.service.files).toEqual(wanted);
    expect(two.service.files).toEqual(wanted);
  });
});

const EDITS = [
  "insert",
  "insert",
  "replace",
  "delete-line",
  "value",
  "key",
  "rewrite",
  "latin1",
  "delete-file",
  "move-file",
  "new-file",
  "windows",
  "open-end",
] as const;
type Edit = (typeof EDITS)[number];

const windows = (text: string) => text.replaceAll("\n", "\r\n");

function inWindows(service: Service): Service {
  return [...service.files.keys()].reduce((now, path) => edited(now, path, windows), service);
}

/** What stands in its files, however their lines end. */
function textsIn(service: Service): string[] {
  return [...service.files.keys()]
    .sort()
    .map((path) => `${path}\n${textOf(service, path).replaceAll("\r", "")}`);
}

describe("a checkout with the line ends of Windows", () => {
  it("is brought to the same service, and back", () => {
    const service = inWindows(created(templates, answersWith()));
    const added = changed(service, { integrations: names, templates: next });
    expect(added.plan).toMatchObject({ conflicts: [], findings: [] });
    const wanted = created(next, answersWith({ integrations: names }));
    expect(textsIn(added.service)).toEqual(textsIn(wanted));
    expect(textOf(added.service, "package.json")).toMatch(/\r\n$/);
    const removed = changed(inWindows(wanted), { integrations: [] });
    expect(removed.plan).toMatchObject({ conflicts: [], findings: [] });
    expect(textsIn(removed.service)).toEqual(textsIn(created(next, answersWith())));
  });
});

/** One thing that happens to a service. `where` picks a file, and `line` a line of it, from 0 to 1. */
type Step =
  | { does: Edit; path?: string; where: number; line: number }
  | { does: "toggle"; name: string }
  | { does: "update" };

const fraction = fc.double({ min: 0, max: 0.999_999, noNaN: true });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ does: fc.constantFrom(...EDITS), where: fraction, line: fraction }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constant("toggle"), name: fc.constantFrom(...names) }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("update") }) },
);

describe("a service that is worked on, and brought up to date, in any order", () => {
  it("loses no line of its users, and stays a service", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 4, maxLength: 14 }), (steps) => {
        const walk = new Walk();
        for (const one of steps) {
          walk.take(one);
        }
      }),
      { numRuns: Number(process.env["WALKS"] ?? 25) },
    );
  });
});

describe("a file that the template moves and changes", () => {
  it.each([...new Set(EDITS)])("keeps what its user did: %s", (does) => {
    const walk = new Walk();
    walk.take({ does, path: "src/platform/raw-body.ts", where: 0, line: 0.5 });
    walk.take({ does: "update" });
  });
});

class Walk {
  #service: Service = created(templates, answersWith());
  #count = 0;

  take(one: Step): void {
    if (one.does === "toggle") {
      const now = integrationsOf(this.#service);
      const without = now.filter((name) => name !== one.name);
      const integrations = without.length < now.length ? without : [...now, one.name];
      this.#change({ integrations });
    } else if (one.does === "update") {
      this.#change({ templates: next });
    } else {
      this.#edit(one);
    }
  }

  #change(wish: Parameters<typeof changed>[1]): void {
    const before = wordsIn(this.#service);
    const { service, plan } = changed(this.#service, wish);
    const after = wordsIn(service);
    expect(before.filter((word) => !after.includes(word))).toEqual([]);
    checkState(service);
    checkJson(service);
    checkMarks(service, plan);
    // The user decides every conflict, and keeps all lines.
    this.#service = decided(service, plan);
    expect(changed(this.#service, {}).plan.changes).toEqual([]);
  }

  #edit(one: Extract<Step, { where: number }>): void {
    const paths = [...this.#service.files.keys()].filter((path) => path !== STATE_FILE);
    const favourites = FAVOURITES.filter((path) => paths.includes(path));
    const path =
      one.path ?? pick([...favourites, ...favourites, ...favourites, ...paths], one.where);
    this.#count += 1;
    const word = `user-${this.#count}-word`;
    if (one.does === "new-file") {
      const wanted = [...render(next, answersWith({ integrations: names })).keys()];
      const free = [...wanted.filter((name) => !paths.includes(name)), `src/own-${this.#count}.ts`];
      const name = pick(free, one.where);
      this.#write(name, () => (name.endsWith(".json") ? `{"${word}": 1}\n` : `// ${word}\n`));
    } else if (one.does === "windows") {
      this.#write(path, (text) => text.replace(/\r?\n/g, "\r\n"));
    } else if (one.does === "open-end") {
      this.#write(path, (text) => text.trimEnd());
    } else if (one.does === "rewrite" && !path.endsWith(".json")) {
      this.#write(path, () => `${lineFor(path, word)}\n`);
    } else if (one.does === "latin1" && !path.endsWith(".json")) {
      const text = `${textOf(this.#service, path)}${lineFor(path, word)} caf\u00E9\n`;
      const files = new Map(this.#service.files);
      files.set(path, { bytes: Buffer.from(text, "latin1"), mode: 0o644 });
      this.#service = { ...this.#service, files };
    } else if (one.does === "delete-file" || one.does === "move-file") {
      const files = new Map(this.#service.files);
      const file = files.get(path);
      files.delete(path);
      if (file && one.does === "move-file" && !path.endsWith(".json")) {
        files.set(path.replace(/[^/]*$/, `moved-${this.#count}-$&`), file);
      }
      this.#service = { ...this.#service, files };
    } else {
      this.#write(path, (text) =>
        path.endsWith(".json")
          ? editJson(text, one.does, one.line, word)
          : ["value", "key"].includes(one.does)
            ? editEntry(path, text, one.does, one.line, word)
            : editLines(text, one.does, one.line, lineFor(path, word)),
      );
    }
  }

  #write(path: string, change: (text: string) => string): void {
    if (path !== STATE_FILE) {
      this.#service = edited(this.#service, path, change);
    }
  }
}

// Where users and templates meet.
const FAVOURITES = [
  "package.json",
  "fsd.yml",
  ".env.example",
  ".gitignore",
  "README.md",
  "compose.yaml",
  "src/integrations/index.ts",
  "tsconfig.json",
  "src/app.ts",
  "src/platform/errors.ts",
  "src/platform/raw-body.ts",
  "observability/dashboard.json",
];

function pick<Item>(items: readonly Item[], where: number): Item {
  return items[Math.floor(where * items.length)] as Item;
}

function lineFor(path: string, word: string): string {
  if (path === ".env.example") {
    return `${word.replaceAll("-", "_").toUpperCase()}=${word}`;
  }
  return path.endsWith(".ts") ? `// ${word}` : /\.ya?ml$/.test(path) ? `# ${word}` : word;
}

function editLines(text: string, does: string, where: number, line: string): string {
  const lines = text.split("\n");
  const at = Math.floor(where * lines.length);
  return lines
    .toSpliced(at, does === "insert" ? 0 : 1, ...(does === "delete-line" ? [] : [line]))
    .join("\n");
}

/** Changes the value of some entry of YAML or of an env file, or adds an entry beside it. */
function editEntry(path: string, text: string, does: string, where: number, word: string): string {
  const entry = path === ".env.example" ? /^()[A-Z_]+=/ : /^( *)[\w.-]+: [\w./-]+\r?$/;
  const lines = text.split("\n");
  const places = [...lines.keys()].filter((index) => entry.test(lines[index] ?? ""));
  if (places.length === 0 || !/\.(?:ya?ml|example)$/.test(path)) {
    return editLines(text, "insert", where, lineFor(path, word));
  }
  const at = pick(places, where);
  const line = lines[at] ?? "";
  const [, indent = ""] = entry.exec(line) ?? [];
  const own = path === ".env.example" ? lineFor(path, word) : `${indent}${word}: 1`;
  return does === "key"
    ? lines.toSpliced(at, 0, own).join("\n")
    : lines.toSpliced(at, 1, line.replace(/(=|: ).*/, `$1${word}`)).join("\n");
}

/** Changes a key somewhere in the JSON, as deep as it goes. */
function editJson(text: string, does: string, where: number, word: string): string {
  const change = (value: unknown, at: number): unknown => {
    if (Array.isArray(value)) {
      return ["insert", "key"].includes(does) ? [...value, word] : value;
    }
    const entries = Object.entries(value as object);
    const index = Math.floor(at * (entries.length + 1));
    const [key, inner] = entries[index] ?? [];
    if (key !== undefined && typeof inner === "object" && inner !== null) {
      const deeper = at * (entries.length + 1) - index;
      return { ...(value as object), [key]: change(inner, deeper) };
    }
    if (key !== undefined && does === "value") {
      return { ...(value as object), [key]: word };
    }
    const rest = entries.filter(([other]) => other !== key || ["insert", "key"].includes(does));
    return Object.fromEntries(does === "delete-line" ? rest : [...rest, [word, word]]);
  };
  return `${JSON.stringify(change(JSON.parse(text), where), null, 2)}\n`;
}

/** Every word of the users' that stands anywhere. */
function wordsIn({ files }: Service): string[] {
  const all = [...files.values()]
    .map(({ bytes }) => Buffer.from(bytes).toString("utf8"))
    .join("\n");
  return [...new Set(all.match(/user-\d+-word/g))];
}

function checkState(service: Service): void {
  const state = readState(service.files.get(STATE_FILE)?.bytes);
  const answers = recordedAnswers(state, service.templates.manifest);
  const { bytes } = render(service.templates, answers).get(STATE_FILE) ?? {};
  expect(textOf(service, STATE_FILE)).toBe(Buffer.from(bytes ?? []).toString("utf8"));
}

function checkJson(service: Service): void {
  for (const path of service.files.keys()) {
    if (path.endsWith(".json")) {
      expect(() => JSON.parse(textOf(service, path).replace("\u{FEFF}", ""))).not.toThrow();
    }
  }
}

function checkMarks(service: Service, plan: Plan): void {
  const marked = [...service.files.keys()].filter((path) => MARKS.test(textOf(service, path)));
  const conflicts = plan.conflicts.filter(({ kind }) => kind === "marked");
  expect(marked.sort()).toEqual(conflicts.map(({ path }) => path).sort());
  for (const { path, conflicts: blocks } of plan.changes) {
    expect(textOf(service, path).match(/^<{7} yours$/gm) ?? []).toHaveLength(blocks);
  }
}

const MARKS = /^(?:<{7} yours|={7}|>{7} template \S+)\r?\n?/m;

function decided(service: Service, plan: Plan): Service {
  const marks = new RegExp(MARKS, "gm");
  return plan.conflicts
    .filter(({ kind }) => kind === "marked")
    .reduce((now, { path }) => edited(now, path, (text) => text.replace(marks, "")), service);
}
