import { describe, expect, it } from "vitest";

import { FakeCommands, runFake } from "../../support/fake-host.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";

const FOLDER = "/repo/services/demo";
const CI = ".github/workflows/ci.yml";

/** Makes a service in a folder of a bigger repository, with these files in it. */
async function createIn(files: Record<string, string>, flags: string[] = [], scripts = {}) {
  const disk = new MemoryDisk({ "/repo/services": null, ...files });
  const args = ["demo", "--yes", ...flags];
  const commands = new FakeCommands(scripts);
  return await runFake(args, { disk, commands, cwd: "/repo/services" });
}

const status = async (disk: MemoryDisk) =>
  await runFake(["status", "--check"], { disk, cwd: FOLDER });

describe("a service inside a repository", () => {
  const files = { "/repo/.git/HEAD": "ref: refs/heads/main\n" };

  it("proposes for the root what GitHub reads only there", async () => {
    const { code, out, disk, commands } = await createIn(files);
    expect(code).toBe(0);
    expect(disk.volume.existsSync(`${FOLDER}/${CI}`)).toBe(false);
    const proposal = disk.text(`${FOLDER}/for-the-repository/.github/workflows/demo-ci.yml`);
    expect(proposal).toContain(
      'defaults:\n  run:\n    working-directory: "services/demo"\n\njobs:\n',
    );
    expect(out).toContain("- what GitHub reads at the repository's root only is proposed in");
    expect(out).toContain("  merge for-the-repository/ into ../../, then delete it\n");
    expect(commands.calls.filter((call) => / (?:init|commit)\b/.test(call))).toEqual([]);
    const { code: drifted, out: drift } = await status(disk);
    expect(drifted).toBe(0);
    expect(drift).toContain(
      `${CI}: deleted, accepted: GitHub reads it at the repository's root only`,
    );
  });

  it("says in the end that --git was not possible", async () => {
    const { out } = await createIn(files, ["--git"], { "git rev-parse": { exitCode: 0 } });
    expect(out).toMatch(/✗ --git was not possible: this is already inside a repository\n$/);
  });

  it("is one of its own when that one ignores it", async () => {
    const { disk, commands } = await createIn(files, [], { "check-ignore": { exitCode: 0 } });
    expect(disk.volume.existsSync(`${FOLDER}/${CI}`)).toBe(true);
    expect(commands.calls).toContain("git init --initial-branch=main");
  });
});

describe("a service inside a workspace", () => {
  it("of pnpm makes no workspace of its own, and says what the other one needs", async () => {
    const { out, disk, commands } = await createIn(
      { "/repo/pnpm-workspace.yaml": 'packages:\n  - "services/*"\n  - "!services/x"\n' },
      ["--package-manager", "pnpm"],
    );
    expect(disk.volume.existsSync(`${FOLDER}/pnpm-workspace.yaml`)).toBe(false);
    expect(out).toContain("- it belongs to the workspace in ../.., whose lockfile is there: CI");
    expect(out).toMatch(
      / {2}add to \.\.\/\.\.\/pnpm-workspace\.yaml: allowBuilds: \{ .*"core-js": false, .* \}\n/,
    );
    // Which it needs before the first install.
    expect(commands.calls).not.toContain("pnpm install");
    expect((await status(disk)).code).toBe(0);
  });

  it("of pnpm that has all it needs is installed at once", async () => {
    const builds = ["@bufbuild/buf", "@scarf/scarf", "core-js", "protobufjs"];
    const lines = builds.map((name) => `  "${name}": true\n`).join("");
    const { out, commands } = await createIn(
      { "/repo/pnpm-workspace.yaml": `packages: ["services/*"]\nallowBuilds:\n${lines}` },
      ["--package-manager", "pnpm"],
    );
    expect(out).not.toContain("add to");
    expect(commands.calls).toContain("pnpm install");
  });

  it.each([
    ["without a linker", "", "add to ../../.yarnrc.yml: nodeLinker: node-modules", false],
    ["of Plug'n'Play", "nodeLinker: pnp\n", "nodeLinker: node-modules", false],
    ["with the same linker", "nodeLinker: node-modules\n", "yarn install", true],
  ])("of Yarn 4 %s keeps its linker for all", async (_, settings, expected, installed) => {
    const { out, disk, commands } = await createIn(
      { "/repo/package.json": '{ "workspaces": ["services/*"] }', "/repo/.yarnrc.yml": settings },
      ["--package-manager", "yarn4"],
    );
    expect(disk.volume.existsSync(`${FOLDER}/.yarnrc.yml`)).toBe(false);
    expect(out).toContain(expected);
    expect(commands.calls.includes("yarn install")).toBe(installed);
    expect((await status(disk)).code).toBe(0);
  });

  it("of npm says what CI and the image need", async () => {
    const { out, disk } = await createIn({
      "/repo/package.json": '{ "workspaces": { "packages": ["./services/**"] } }',
    });
    expect(out).toContain("so the Dockerfile has to copy that lockfile and package.json");
    expect(disk.text(`${FOLDER}/package.json`)).toContain('"name": "demo"');
  });

  it.each([
    ["that does not count it in", "/repo/pnpm-workspace.yaml", 'packages: ["apps/*"]\n'],
    ["that leaves it out", "/repo/pnpm-workspace.yaml", 'packages: ["**", "!services/demo"]\n'],
    ["whose file is broken", "/repo/pnpm-workspace.yaml", "packages: [\n"],
    ["of another package manager", "/repo/package.json", '{ "workspaces": ["services/*"] }'],
  ])("%s is one of its own", async (_, path, text) => {
    const { out, disk } = await createIn({ [path]: text }, ["--package-manager", "pnpm"]);
    expect(disk.volume.existsSync(`${FOLDER}/pnpm-workspace.yaml`)).toBe(true);
    expect(out).not.toContain("workspace in");
  });
});

describe("a folder that is as good as empty", () => {
  it("gets the service, keeps what is there, and is not a repository to be made", async () => {
    const disk = new MemoryDisk({
      "/home/demo/.git/HEAD": "ref: refs/heads/main\n",
      "/home/demo/README.md": "# demo\n",
      "/home/demo/LICENSE": "ours\n",
    });
    const args = ["demo", "--yes", "--directory", ".", "--no-install"];
    const { code, out, commands } = await runFake(args, { disk, cwd: "/home/demo" });
    expect(code).toBe(3);
    expect(disk.text("/home/demo/README.md")).toBe("# demo\n");
    expect(disk.text("/home/demo/LICENSE")).toBe("ours\n");
    expect(disk.text("/home/demo/README.md.new")).toContain("# demo");
    expect(disk.text("/home/demo/package.json")).toContain('"name": "demo"');
    expect(out).toContain("✗ README.md: ");
    expect(out).toContain("the template's version is in README.md.new; make one of the two\n");
    expect(out).toMatch(/\n {2}npm install\n/);
    expect(out).not.toContain("cd ");
    expect(commands.calls.filter((call) => / (?:init|commit)\b/.test(call))).toEqual([]);
    expect(disk.volume.existsSync("/home/demo/.github/workflows/ci.yml")).toBe(true);
  });

  it("can be emptied again by undo", async () => {
    const disk = new MemoryDisk({ "/home/demo/LICENSE": "ours\n" });
    await runFake(["demo", "--yes", "--no-install", "--no-git"], { disk });
    await runFake(["undo", "--no-install"], { disk, cwd: "/home/demo" });
    expect(disk.everything().filter((path) => /^\/home\/demo\/./.test(path))).toEqual([
      "/home/demo/LICENSE",
    ]);
  });
});
