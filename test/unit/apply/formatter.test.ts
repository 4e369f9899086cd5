import { join } from "node:path";
import { tmpdir } from "node:os";

import { describe, expect, it } from "vitest";

import { findFormatter } from "../../../src/apply/find-formatter.ts";
import { runFormatter } from "../../../src/apply/run-formatter.ts";
import { styleForTeam } from "../../../src/apply/team-style.ts";
import type { DiskFile } from "../../../src/plan/plan.ts";
import type { CommandResult } from "../../../src/ports.ts";
import { FakeCommands } from "../../support/fake-host.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";

const ROOT = "/home/service";
const PRETTIER = {
  [`${ROOT}/node_modules/prettier/package.json`]: '{"bin":"./bin/prettier.cjs"}',
};
const BIOME = {
  [`${ROOT}/node_modules/@biomejs/biome/package.json`]: '{"bin":{"biome":"bin/biome"}}',
};
const OXFMT = { [`${ROOT}/node_modules/oxfmt/package.json`]: '{"bin":{"oxfmt":"bin/oxfmt"}}' };
const ALL = { ...PRETTIER, ...BIOME, ...OXFMT };

const TEMPLATE = {
  "package.json": '{"scripts":{"format":"oxfmt"},"devDependencies":{"oxfmt":"0.1.0"}}',
  ".oxfmtrc.json": '{ "printWidth": 100 }',
};

function treeOf(files: Record<string, string>) {
  return new Map(
    Object.entries(files).map(([path, text]) => [
      path,
      { bytes: Buffer.from(text), mode: 0o644, owner: "merged" as const },
    ]),
  );
}

async function found(mine: Record<string, string>, installed: Record<string, string> = ALL) {
  const trees = { base: treeOf(TEMPLATE), mine: treeOf({ ...TEMPLATE, ...mine }) };
  return await findFormatter(new MemoryDisk(installed), ROOT, trees);
}

describe("the team's formatter", () => {
  it.each([
    ["Prettier", "its configuration", { ".prettierrc": "useTabs: true\n" }],
    ["Prettier", "a key of package.json", { "package.json": '{"prettier":{"semi":false}}' }],
    ["Prettier", "its package", { "package.json": '{"devDependencies":{"prettier":"3.0.0"}}' }],
    ["Biome", "its configuration", { "biome.jsonc": "{}" }],
    ["oxfmt", "another configuration", { ".oxfmtrc.json": '{ "printWidth": 80 }' }],
    [
      "oxfmt",
      "another version",
      { "package.json": '{"devDependencies":{"oxfmt":"0.2.0"}}', ".oxfmtrc.json": "{}" },
    ],
    ["oxfmt", "an .editorconfig", { ".editorconfig": "[*]\nindent_style = tab\n" }],
  ])("is %s, by %s", async (name, _, mine) => {
    expect(await found(mine)).toMatchObject({ name });
  });

  it("is none as long as the template's own is set up as it was", async () => {
    expect(await found({ ".oxfmtrc.json": '{\n\t"printWidth": 100\n}\n' })).toBeUndefined();
  });

  it("is the one that the team's script names, of several", async () => {
    const configs = { ".prettierrc": "{}", "biome.json": "{}" };
    expect(await found(configs)).toMatchObject({ name: "Biome" });
    const script = { "package.json": '{"scripts":{"format":"prettier --write ."}}' };
    expect(await found({ ...configs, ...script })).toMatchObject({ name: "Prettier" });
  });

  it("is not run from anywhere but the service's own packages", async () => {
    const mine = { ".prettierrc": "{}" };
    expect(await found(mine, {})).toBeUndefined();
    const above = { "/home/node_modules/prettier/package.json": '{"bin":"./bin/prettier.cjs"}' };
    expect(await found(mine, above)).toBeUndefined();
  });

  it("is the one of the workspace that the service is part of, with its configuration", async () => {
    const workspace = {
      "/home/package.json": '{"workspaces":["service"]}',
      "/home/.prettierrc.yaml": "useTabs: true\n",
      "/home/node_modules/prettier/package.json": '{"bin":"./bin/prettier.cjs"}',
    };
    const formatter = await found({}, workspace);
    expect(formatter).toMatchObject({ name: "Prettier", packages: "/home/node_modules" });
    expect([...(formatter?.config.keys() ?? [])]).toEqual([".prettierrc.yaml"]);
    const elsewhere = { ...workspace, "/home/package.json": '{"workspaces":["packages/*"]}' };
    expect(await found({ ".prettierrc": "{}" }, elsewhere)).toBeUndefined();
  });

  it("is given the team's configuration, or an empty one", async () => {
    const own = await found({ ".prettierrc": "semi: false\n", ".prettierignore": "*.md\n" });
    expect([...(own?.config.keys() ?? [])]).toEqual([".prettierrc", ".prettierignore"]);
    const nested = await found({ ".prettierrc": "{}", "src/.prettierrc": "{}" });
    expect([...(nested?.config.keys() ?? [])]).toEqual([".prettierrc", "src/.prettierrc"]);
    const key = await found({ "package.json": '{"prettier":"@team/style"}' });
    expect(String(Buffer.from(key?.config.get(".prettierrc.json") ?? []))).toBe('"@team/style"');
  });
});

describe("what a configuration loads", () => {
  const files = {
    "tools/style.mjs": 'import base from "./base.mjs";',
    "tools/base.mjs": 'import "../tools/style.mjs";',
    "tools/plugin.mjs": "",
    "tools/other.mjs": "",
  };

  it.each([
    ["prettier.config.mjs", 'import style from "./tools/style.mjs";'],
    [".prettierrc", "extends: ./tools/style.mjs\n"],
    ["package.json", '{"prettier":"./tools/style.mjs"}'],
  ])("comes with it: %s", async (path, text) => {
    const formatter = await found({ ...files, [path]: text });
    expect([...(formatter?.config.keys() ?? [])]).toEqual(
      expect.arrayContaining(["tools/style.mjs", "tools/base.mjs"]),
    );
    expect(formatter?.config.has("tools/other.mjs")).toBe(false);
  });
});

/** A formatter that puts every file into capitals. */
class Capitals extends FakeCommands {
  readonly folders: string[] = [];
  readonly #disk: MemoryDisk;
  readonly #result: Partial<CommandResult>;

  constructor(disk: MemoryDisk, result: Partial<CommandResult> = {}) {
    super();
    this.#disk = disk;
    this.#result = result;
  }

  override async run(...[program, args, options]: Parameters<FakeCommands["run"]>) {
    this.folders.push(options.cwd);
    for (const path of await this.#disk.filesUnder(options.cwd)) {
      const file = `${options.cwd}/${path}`;
      if (path.endsWith(".ts") && this.#result.exitCode === undefined) {
        this.#disk.volume.writeFileSync(file, this.#disk.text(file).toUpperCase());
      }
    }
    return { ...(await super.run(program, args, options)), ...this.#result };
  }
}

function tools(result: Partial<CommandResult> = {}) {
  const fs = new MemoryDisk({ ...PRETTIER, [join(tmpdir(), "x")]: "" });
  return { fs, commands: new Capitals(fs, result), signal: new AbortController().signal };
}

const sides = (text: string) => ({
  base: new Map([["src/a.ts", Buffer.from(text)]]),
  theirs: new Map([["src/a.ts", Buffer.from(`${text} new`)]]),
});

const find = async (fs: MemoryDisk) => {
  const mine = treeOf({ ...TEMPLATE, ".prettierrc": "{}" });
  const formatter = await findFormatter(fs, ROOT, { base: treeOf(TEMPLATE), mine });
  if (!formatter) throw new Error("there is a formatter");
  return formatter;
};

describe("a run of it", () => {
  it("formats both sides in a folder each, and leaves nothing behind", async () => {
    const { fs, commands, signal } = tools();
    const before = fs.everything();
    const formatted = await runFormatter({ fs, commands, signal }, await find(fs), sides("old"));
    expect(String(formatted.base.get("src/a.ts"))).toBe("OLD");
    expect(String(formatted.theirs.get("src/a.ts"))).toBe("OLD NEW");
    expect(commands.calls).toHaveLength(2);
    expect(commands.calls[0]).toMatch(/^node \/home\/service\/node_modules\/prettier\/bin/);
    expect(commands.folders.every((folder) => folder.startsWith(tmpdir()))).toBe(true);
    expect(fs.everything()).toEqual(before);
  });

  it("that fails changes nothing, and says why", async () => {
    const { fs, ...rest } = tools({ exitCode: 2, output: "plugin not found" });
    const formatted = await runFormatter({ fs, ...rest }, await find(fs), sides("old"));
    expect(formatted).toMatchObject({ base: new Map(), theirs: new Map() });
    expect(formatted.problem).toBe("plugin not found");
  });

  it("that fails has its reason told in a short line", async () => {
    const stack = `file:1\n\nTypeError: ${"x".repeat(1000)}\n    at a\n\nNode.js v26`;
    const { fs, ...rest } = tools({ exitCode: 1, output: stack });
    const { problem } = await runFormatter({ fs, ...rest }, await find(fs), sides("old"));
    expect(problem).toMatch(/TypeError: x{200,}$/);
    expect(problem?.length).toBeLessThanOrEqual(300);
    const killed = tools({ exitCode: 137 });
    const silent = await runFormatter(killed, await find(killed.fs), sides("old"));
    expect(silent.problem).toBe("exit code 137");
  });

  it("that dies in the middle of a file leaves that file as it is", async () => {
    const { fs, commands, signal } = tools();
    commands.run = async (_program, _args, { cwd }) => {
      fs.volume.writeFileSync(`${cwd}/src/a.ts`, "a =");
      fs.volume.writeFileSync(`${cwd}/src/b.ts`, "b = 1");
      return { exitCode: 2, found: true, output: "ENOSPC" };
    };
    const theirs = new Map(
      ["a", "b"].map((name) => [`src/${name}.ts`, Buffer.from(`${name}  =  1`)]),
    );
    const formatter = await find(fs);
    const formatted = await runFormatter({ fs, commands, signal }, formatter, {
      base: new Map(),
      theirs,
    });
    expect([...formatted.theirs.keys()]).toEqual(["src/b.ts"]);
  });

  it("that has no room for its files changes nothing, and says why", async () => {
    const { fs, ...rest } = tools();
    const formatter = await find(fs);
    fs.restart({ at: 3, code: "ENOSPC" });
    const formatted = await runFormatter({ fs, ...rest }, formatter, sides("old"));
    expect(formatted).toMatchObject({ base: new Map(), problem: "ENOSPC" });
  });
});

describe("a service's files in the team's format", () => {
  const mine = new Map<string, DiskFile>([
    ...treeOf({ ...TEMPLATE, ".prettierrc": "{}", "src/a.ts": "OLD", "src/b.ts": "OWN" }),
  ]);
  const base = treeOf({ ...TEMPLATE, "src/a.ts": "old", "src/b.ts": "same" });
  const theirs = treeOf({ ...TEMPLATE, "src/a.ts": "new", "src/b.ts": "same", "src/c.ts": "c" });
  const shown: string[] = [];
  const progress = async <Result>(title: string, work: () => Promise<Result>) => {
    shown.push(title);
    return await work();
  };

  it("are those that the template changes", async () => {
    const styled = await styleForTeam(tools(), ROOT, { base, theirs, mine }, progress);
    const textOf = (tree: typeof styled.base, path: string) =>
      String(Buffer.from(tree.get(path)?.bytes ?? []));
    expect(textOf(styled.base, "src/a.ts")).toBe("OLD");
    expect(textOf(styled.theirs, "src/a.ts")).toBe("NEW");
    expect(textOf(styled.theirs, "src/c.ts")).toBe("C");
    expect(textOf(styled.theirs, "src/b.ts")).toBe("same");
    expect(shown).toEqual(["Formatting 2 files with Prettier"]);
  });

  it("stay the template's when the formatter cannot run, which is said", async () => {
    const failing = tools({ exitCode: 1, output: "no such plugin" });
    const styled = await styleForTeam(failing, ROOT, { base, theirs, mine }, progress);
    expect(styled.findings).toMatchObject([{ kind: "unformatted" }]);
    expect(styled.findings[0]?.message).toContain("no such plugin");
  });
});
