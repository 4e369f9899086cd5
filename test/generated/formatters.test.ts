import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { wholeArchive } from "../support/archive.ts";
import { render } from "../../src/plan/render.ts";
import type { Tree } from "../../src/plan/tree.ts";
import { answersWith, templates } from "../support/templates.ts";

const run = promisify(execFile);
const CLI = join(import.meta.dirname, "../../bin/create-fetch-service.js");

const PACKAGES = { prettier: "3.10.1", "@biomejs/biome": "2.6.8", oxfmt: "0.79.0" };

/** A style that differs from the template's in all that the formatters let a team choose. */
const PRETTIER_STYLE = { useTabs: true, singleQuote: true, semi: false, printWidth: 80 };
const BIOME_STYLE = {
  formatter: { indentStyle: "tab", lineWidth: 80 },
  javascript: { formatter: { quoteStyle: "single", semicolons: "asNeeded" } },
};

/** Each formatter's configuration, and what the team runs to format its service. */
const FORMATTERS = [
  {
    name: "Prettier",
    file: ".prettierrc.json",
    config: PRETTIER_STYLE,
    command: ["prettier", "--write", "--log-level=warn", "."],
  },
  { name: "oxfmt", file: ".oxfmtrc.json", config: PRETTIER_STYLE, command: ["oxfmt"] },
  {
    name: "Biome",
    file: "biome.json",
    config: BIOME_STYLE,
    command: ["biome", "format", "--write"],
  },
];

const names = templates.manifest.integrations.map(({ name }) => name);
const archive = wholeArchive();
const oldest = archive.templates(archive.versions[0] ?? "") ?? templates;

const all = render(templates, answersWith({ integrations: names }));
const plain = render(templates, answersWith());

/** A service before and after each command, as the template formats it. */
const COMMANDS = [
  { args: ["add-integration", ...names], before: plain, after: all },
  { args: ["remove-integration", ...names], before: all, after: plain },
  { args: ["update"], before: render(oldest, answersWith()), after: plain },
];

let packages: string;
let home: string;

beforeAll(async () => {
  packages = await install();
  home = mkdtempSync(join(tmpdir(), "formatters-"));
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

/** The formatters in one folder, kept for the next run, which each service links to. */
async function install(): Promise<string> {
  const versions = Object.values(PACKAGES).join("-");
  const folder = join(tmpdir(), `create-fetch-service-formatters-${versions}`);
  if (!existsSync(join(folder, "complete"))) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ dependencies: PACKAGES }));
    await run("npm", ["install", "--no-audit", "--no-package-lock"], { cwd: folder });
    writeFileSync(join(folder, "complete"), "");
  }
  return join(folder, "node_modules");
}

const cases = FORMATTERS.flatMap((formatter) =>
  COMMANDS.map((command) => ({ formatter, ...command })),
);

describe.each(cases)("$formatter.name: $args.0", ({ formatter, args, before, after }) => {
  it("is the same before and after the team formats its service", async () => {
    const [early, late, wanted] = [before, before, after].map(serviceOf);
    [early, late, wanted].forEach(configure);
    await format(early, wanted);
    expect(await change(early, args)).toContain(`with ${formatter.name}`);
    expect(textsIn(early)).toEqual(textsIn(wanted));
    await change(late, args);
    await format(late);
    expect(textsIn(late)).toEqual(textsIn(wanted));
  });

  function configure(service = ""): void {
    writeFileSync(join(service, formatter.file), JSON.stringify(formatter.config));
    symlinkSync(packages, join(service, "node_modules"));
  }

  async function format(...services: (string | undefined)[]): Promise<void> {
    const [program = "", ...rest] = formatter.command;
    for (const service of services) {
      await run(join(packages, ".bin", program), rest, { cwd: service });
    }
  }
});

describe("a service that was formatted by a formatter that is not installed", () => {
  it("is brought up to date all the same, and nothing runs", async () => {
    const service = serviceOf(all);
    writeFileSync(join(service, ".prettierrc.json"), JSON.stringify({ useTabs: true }));
    await run(join(packages, ".bin/prettier"), ["--write", "--log-level=warn", "."], {
      cwd: service,
    });
    const said = await change(service, ["remove-integration", ...names]);
    expect(said).not.toContain("Formatting");
    expect(Object.keys(textsIn(service))).not.toContain("/src/integrations/kafka/index.ts");
  });
});

let count = 0;

function serviceOf(tree: Tree): string {
  count += 1;
  const folder = join(home, `service-${count}`, "demo-service");
  for (const [path, { bytes, mode }] of tree) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes, { mode });
  }
  return folder;
}

/** Runs a command, which ends with another code when there is a conflict. */
async function change(service = "", args: readonly string[] = []): Promise<string> {
  const { stdout } = await run(process.execPath, [CLI, ...args, "--no-install"], { cwd: service });
  return stdout;
}

function textsIn(service = ""): Record<string, string> {
  const files = readdirSync(service, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("/.fetch-service"))
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    files.sort().map((path) => [path.slice(service.length), readFileSync(path, "utf8")]),
  );
}
