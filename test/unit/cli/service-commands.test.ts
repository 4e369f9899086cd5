import { describe, expect, it } from "vitest";

import type { Templates } from "../../../src/catalog/templates.ts";
import { UserError } from "../../../src/errors.ts";
import { FakeCommands, FakePrompter, type FakeRun } from "../../support/fake-host.ts";
import { FakeProcesses } from "../../support/fake-processes.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";
import { filesOf, type Given, ROOT, run, serviceDisk } from "../../support/service-disk.ts";
import { templatesWithFixture } from "../../support/templates.ts";

/** The same without the modes, which a copied disk forgets. */
function textsOf(disk: MemoryDisk): string[][] {
  return Object.entries(filesOf(disk)).map(([path, text]) => [path, text.replace(/^\d+ /, "")]);
}

const README = serviceDisk().text(`${ROOT}/README.md`);

describe("add-integration", () => {
  it("makes what create would have made with it, and installs", async () => {
    const { code, out, disk, commands } = await run(["add-integration", "postbox"]);
    expect(code).toBe(0);
    expect(filesOf(disk)).toEqual(filesOf(serviceDisk(["postbox"])));
    expect(commands.calls).toEqual(["npm install"]);
    expect(out).toMatch(/✓ add-integration postbox: \d+ created, \d+ changed\n/);
  });

  it("says what to set, and how to check it", async () => {
    const { out } = await run(["add-integration", "postbox"]);
    expect(out).toMatch(/look at these settings in \.env: POSTBOX_\w+/);
    expect(out).toMatch(/npm run typecheck && npm test\n$/);
  });

  it("keeps the last step to undo when it changes nothing in a checkout of Windows", async () => {
    const disk = serviceDisk();
    await run(["add-integration", "postbox"], { disk });
    for (const path of Object.keys(filesOf(disk))) {
      disk.volume.writeFileSync(path, disk.text(path).replaceAll("\n", "\r\n"));
    }
    const before = filesOf(disk);
    const { out } = await run(["add-integration", "postbox"], { disk });
    expect(out).toContain("Nothing to do");
    expect(filesOf(disk)).toEqual(before);
    expect(disk.text(`${ROOT}/.fetch-service/undo/journal`)).toContain("add-integration postbox");
  });

  it("takes names with commas between them, as create does", async () => {
    const { code, disk } = await run(["add-integration", "postbox,", ",postbox"]);
    expect(code).toBe(0);
    expect(disk.everything()).toEqual(
      (await run(["add-integration", "postbox"])).disk.everything(),
    );
  });

  it("foresees conflicts, and exits with 3 when asked to", async () => {
    const disk = serviceDisk([], { "package.json": "mine\n" });
    const args = ["add-integration", "postbox", "--dry-run"];
    expect((await run(args, { disk })).code).toBe(0);
    expect((await run([...args, "--check"], { disk })).code).toBe(3);
    expect((await run([...args, "--check"])).code).toBe(0);
    const before = disk.everything();
    const written = await run(["add-integration", "postbox", "--check"], { disk });
    expect([written.code, written.err]).toEqual([2, expect.stringContaining("--dry-run")]);
    expect(disk.everything()).toEqual(before);
  });

  it("does nothing the second time, and exits with 0", async () => {
    const disk = serviceDisk(["postbox"]);
    const { code, out, commands } = await run(["add-integration", "postbox"], { disk });
    expect(code).toBe(0);
    expect(out).toContain("Nothing to do");
    expect(commands.calls).toEqual([]);
    expect(disk.everything()).toEqual(serviceDisk(["postbox"]).everything());
  });

  it("works in a folder named by --directory, and says to go there", async () => {
    const args = ["add-integration", "postbox", "--directory", "demo-service"];
    const { code, out, disk } = await run(args, { cwd: "/home" });
    expect(code).toBe(0);
    expect(filesOf(disk)).toEqual(filesOf(serviceDisk(["postbox"])));
    expect(out).toContain("cd demo-service\n");
  });

  it("finds the service from a folder of it, and takes paths from there", async () => {
    const disk = serviceDisk([], {
      "src/routes/receipts.ts": "mine\n",
      "README.md": `${README}\nmine\n`,
    });
    const cwd = `${ROOT}/src/routes`;
    const { code, out } = await run(["add-integration", "postbox", "--no-install"], { disk, cwd });
    expect(code).toBe(0);
    expect(out).toContain("  cd ../..\n");
    const shown = await run(["diff", "receipts.ts"], { disk, cwd });
    expect(shown.out).toContain("+++ src/routes/receipts.ts");
    const all = await run(["diff", "../.."], { disk, cwd });
    expect(all.out).toContain("+++ README.md");
  });

  it("keeps the user's edits, and leaves out the install on request", async () => {
    const disk = serviceDisk([], {
      "README.md": `${README}\r\nours\r\n`,
      "src/routes/receipts.ts": "mine\n",
    });
    const args = ["add-integration", "postbox", "--no-install"];
    const { code, out, commands } = await run(args, { disk });
    expect(code).toBe(0);
    expect(disk.text(`${ROOT}/README.md`)).toContain("ours\r\n");
    expect(disk.text(`${ROOT}/src/routes/receipts.ts`)).toBe("mine\n");
    expect(commands.calls).toEqual([]);
    expect(out).toContain("  npm install\n");
  });

  it("puts its file beside one of the user's, and exits with 3", async () => {
    const path = "src/integrations/postbox/index.ts";
    const disk = serviceDisk();
    disk.volume.mkdirSync(`${ROOT}/src/integrations/postbox`, { recursive: true });
    disk.volume.writeFileSync(`${ROOT}/${path}`, "mine\n");
    const { code, out } = await run(["add-integration", "postbox"], { disk });
    expect(code).toBe(3);
    expect(disk.text(`${ROOT}/${path}`)).toBe("mine\n");
    expect(disk.text(`${ROOT}/${path}.new`)).not.toBe("");
    expect(out).toContain(`the template's is in ${path}.new`);
  });

  it("brings back what was deleted, on request", async () => {
    const disk = serviceDisk();
    disk.volume.unlinkSync(`${ROOT}/Dockerfile`);
    disk.volume.unlinkSync(`${ROOT}/fsd.yml`);
    const { out } = await run(["add-integration", "postbox", "--no-install"], { disk });
    expect(out).toContain("- Dockerfile: you deleted it, so it stays deleted");
    const restored = ["--restore", "./Dockerfile", "--restore", "fsd.yml", "postbox"];
    expect((await run(["add-integration", ...restored], { disk })).code).toBe(0);
    expect(filesOf(disk)).toEqual(filesOf(serviceDisk(["postbox"])));
  });

  it("asks which, where somebody sits and none is named", async () => {
    const prompter = new FakePrompter([["postbox"], true]);
    const { code, disk } = await run(["add-integration"], { prompter });
    expect(code).toBe(0);
    expect(prompter.questions).toEqual(["Integrations to add", "Write it?"]);
    expect(filesOf(disk)).toEqual(filesOf(serviceDisk(["postbox"])));
  });

  it("writes nothing when the last question is answered with no", async () => {
    const prompter = new FakePrompter([["postbox"], false]);
    const { code, disk } = await run(["add-integration"], { prompter });
    expect(code).toBe(130);
    expect(disk.everything()).toEqual(serviceDisk().everything());
  });

  it.each([
    [["add-integration"], "no integration is named", /add-integration .*postbox$/m],
    [["add-integration", "postbix"], 'unknown integration "postbix"', /did you mean postbox\?/],
    [["add-integration", "zzz"], 'unknown integration "zzz"', /there are .*postbox$/m],
    [["add-integration", "postbox", "--restore", "nope"], "--restore nope", /paths start at/],
    [["update", "--restore", "Dokerfile"], "--restore Dokerfile", /did you mean Dockerfile\?/],
    [["add-integration", "postbox", "--directry", "x"], "unknown option", /--directory/],
    [["update", "now"], "too many arguments", /--help/],
    [["status", "--directory", "/nowhere"], "no such folder", /name a service's folder/],
  ])("refuses %j, and changes nothing", async (args, message, hint) => {
    const { code, err, disk } = await run(args);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).toMatch(hint);
    expect(disk.everything()).toEqual(serviceDisk().everything());
  });

  it("prints its plan with --dry-run, and its result with --json", async () => {
    const planned = await run(["add-integration", "postbox", "--dry-run"]);
    expect(planned.out).toMatch(/^ {2}\+ src\/integrations\/postbox\/index\.ts$/m);
    expect(planned.out).toMatch(/nothing was written\n$/);
    expect(planned.disk.everything()).toEqual(serviceDisk().everything());

    const data = await run(["add-integration", "postbox", "--dry-run", "--json"]);
    const { plan } = JSON.parse(data.out);
    expect(plan).toMatchObject({ command: "add-integration postbox", directory: ROOT });
    expect(plan.changes).toContainEqual(expect.objectContaining({ path: "package.json" }));

    const done = await run(["add-integration", "postbox", "--json"]);
    expect(JSON.parse(done.out)).toMatchObject({ changed: { conflicts: [] }, installed: true });
  });

  it("says how to go on after an install that fails or is interrupted; the files stay", async () => {
    for (const [result, code, message, hint] of [
      [{ exitCode: 1, output: "no network" }, 1, "no network", "install again when that is fixed"],
      [{ exitCode: undefined, signal: "SIGINT" }, 130, "written and whole", "with: npm install"],
    ] as const) {
      const commands = new FakeCommands({ "npm install": result });
      const failed = await run(["add-integration", "postbox"], { commands });
      expect(failed.code).toBe(code);
      expect(failed.err).toContain(message);
      expect(failed.err).toContain(hint);
      expect(filesOf(failed.disk)).toEqual(filesOf(serviceDisk(["postbox"])));
    }
  });

  it("tells what it wrote before it tells that the install failed", async () => {
    const commands = new FakeCommands({ "npm install": { exitCode: 1, output: "no network" } });
    const edited = serviceDisk([], { "package.json": "mine\n" });
    const given = { commands, disk: edited, cwd: "/home" };
    const { code, out, err } = await run(
      ["add-integration", "postbox", "--directory", "demo-service"],
      given,
    );
    expect(code).toBe(3);
    expect(err).toBe("");
    expect(out).toContain("package.json.new");
    const disk = serviceDisk();
    disk.volume.unlinkSync(`${ROOT}/fsd.yml`);
    const failed = await run(["add-integration", "postbox", "--directory", "demo-service"], {
      ...given,
      disk,
    });
    expect(failed.code).toBe(1);
    expect(failed.out).toContain("- fsd.yml: you deleted it");
    expect(failed.out).toContain("  look at these settings in .env");
    expect(failed.err).toContain("no network");
    expect(failed.err).toContain("hint: the files are written and whole");
  });

  it("prints one document when the install failed: what it wrote, and the error", async () => {
    const commands = new FakeCommands({ "npm install": { exitCode: 1, output: "no network" } });
    const { code, out } = await run(["add-integration", "postbox", "--json"], { commands });
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      changed: { command: "add-integration postbox", conflicts: [] },
      installed: false,
      nextSteps: expect.arrayContaining(["npm install"]),
      error: { code: "INSTALL_FAILED", hint: expect.stringContaining("written and whole") },
    });
  });

  it("leaves nothing when it is interrupted before it decides", async () => {
    const signal = AbortSignal.abort(new UserError("INTERRUPTED", "interrupted"));
    const { code, disk } = await run(["add-integration", "postbox"], { signal });
    expect(code).toBe(130);
    expect(disk.everything()).toEqual(serviceDisk().everything());
  });
});

describe("remove-integration", () => {
  it("leaves what create would have made without it", async () => {
    const disk = serviceDisk(["postbox"]);
    const { code } = await run(["remove-integration", "postbox"], { disk });
    expect(code).toBe(0);
    expect(filesOf(disk)).toEqual(filesOf(serviceDisk()));
    expect(disk.everything()).not.toContain(`${ROOT}/src/integrations/postbox/`);
  });

  it("keeps a file of it that was edited, and says so", async () => {
    const path = "src/integrations/postbox/index.ts";
    const disk = serviceDisk(["postbox"], { [path]: "mine\n" });
    const { out } = await run(["remove-integration", "postbox"], { disk });
    expect(disk.text(`${ROOT}/${path}`)).toBe("mine\n");
    expect(out).toContain(`- ${path}: the template has dropped it`);
  });

  it("offers those that are there", async () => {
    const prompter = new FakePrompter([["postbox"], true]);
    const disk = serviceDisk(["postbox"]);
    const { code } = await run(["remove-integration"], { prompter, disk });
    expect(code).toBe(0);
    expect(filesOf(disk)).toEqual(filesOf(serviceDisk()));
  });

  it("has nothing to do where there is none", async () => {
    const prompter = new FakePrompter([]);
    const { code, out } = await run(["remove-integration"], { prompter });
    expect(code).toBe(0);
    expect(out).toContain("Nothing to do");
  });
});

/** The templates of a later version, of which the Dockerfile ends otherwise. */
const NEXT: Templates = {
  ...templatesWithFixture,
  version: "0.9.0",
  files: templatesWithFixture.files.map((file) => {
    const { content } = file;
    return file.path === "base/Dockerfile.hbs" && typeof content === "function"
      ? { ...file, content: (context: object) => content(context).replace(/.*\n$/, `${END}\n`) }
      : file;
  }),
};

const CURRENT = templatesWithFixture.version;
const END = 'CMD ["start"]';

const CHANGELOG = [
  { version: "0.9.0", changes: ["Another end for the Dockerfile"] },
  { version: CURRENT, changes: ["What is there now"] },
];

const nextVersion = {
  templates: async () => NEXT,
  changelog: async () => CHANGELOG,
  archive: async () => ({
    versions: [templatesWithFixture.version],
    templates: (version: string) =>
      version === templatesWithFixture.version ? templatesWithFixture : undefined,
  }),
};

describe("update", () => {
  it("brings what is new, and tells what it is", async () => {
    const { code, out, disk } = await run(["update"], nextVersion);
    expect(code).toBe(0);
    expect(disk.text(`${ROOT}/Dockerfile`)).toMatch(/\nCMD \["start"\]\n$/);
    expect(JSON.parse(disk.text(`${ROOT}/.fetch-service.json`)).templateVersion).toBe("0.9.0");
    expect(out).toMatch(/Templates 0\.9\.0:\n {2}- Another end for the Dockerfile\n/);
    expect(out).not.toContain("What is there now");
    expect((await run(["update"], { ...nextVersion, disk })).out).toContain("Nothing to do");
    const planned = await run(["update", "--dry-run"], nextVersion);
    expect(planned.out).toMatch(/Templates 0\.9\.0:\n {2}- Another end for the Dockerfile\n/);
  });

  const edited = serviceDisk().text(`${ROOT}/Dockerfile`).replace(/.*\n$/, "CMD mine\n");

  it("lists conflicts at the end, with the template's own change, and exits with 3", async () => {
    const disk = serviceDisk([], { Dockerfile: edited });
    const { code, out } = await run(["update"], { ...nextVersion, disk });
    expect(code).toBe(3);
    const [, first = 0, last = 0] = /✗ Dockerfile, lines (\d+)-(\d+): both/.exec(out) ?? [];
    const lines = disk.text(`${ROOT}/Dockerfile`).split("\n");
    expect(lines.slice(Number(first) - 1, Number(last))).toEqual([
      "<<<<<<< yours",
      "CMD mine",
      "=======",
      END,
      ">>>>>>> template 0.9.0, update to 0.9.0",
    ]);
    expect(out).toMatch(
      /what the template changed there:\n {6}-CMD \["node".*\n {6}\+CMD \["start"\]\n/,
    );
    expect(out).toContain("decide the conflicts above");
    expect(out).toContain("npm run typecheck");
    expect((await run(["status", "--check"], { ...nextVersion, disk })).out).toContain(
      "Dockerfile: a conflict is still to be decided",
    );
    const again = await run(["update"], { ...nextVersion, disk });
    expect(again.code).toBe(1);
    expect(again.err).toContain("a conflict is still marked in Dockerfile");
    expect((await run(["undo"], { ...nextVersion, disk })).code).toBe(0);
    expect(disk.text(`${ROOT}/Dockerfile`)).toBe(edited);
  });

  it("says what the template changed in a file that the user has moved", async () => {
    const disk = serviceDisk();
    disk.volume.unlinkSync(`${ROOT}/Dockerfile`);
    disk.volume.mkdirSync(`${ROOT}/docker`);
    disk.volume.writeFileSync(`${ROOT}/docker/Dockerfile`, edited);
    const { code, out } = await run(["update"], { ...nextVersion, disk });
    expect(code).toBe(3);
    expect(out).toMatch(/✗ docker\/Dockerfile, lines .*\n.*changed there:\n {6}-CMD.*\n {6}\+CMD/);
  });

  it("prints conflicts as data, with their lines", async () => {
    const disk = serviceDisk([], { Dockerfile: edited });
    const { code, out } = await run(["update", "--json"], { ...nextVersion, disk });
    expect(code).toBe(3);
    const { changed } = JSON.parse(out);
    expect(changed.changelog).toEqual([CHANGELOG[0]]);
    expect(changed.conflicts).toMatchObject([
      { path: "Dockerfile", kind: "marked", lines: [[expect.any(Number), expect.any(Number)]] },
    ]);
  });

  it("takes what the template once wrote from git when nobody kept the old templates", async () => {
    const disk = serviceDisk([], { Dockerfile: edited });
    const id = JSON.parse(disk.text(`${ROOT}/.fetch-service.json`)).files.Dockerfile.blob;
    const commands = new FakeCommands();
    const lost = {
      ...nextVersion,
      archive: async () => ({ versions: [], templates: () => undefined }),
      commands,
    };
    const blind = await run(["update", "--dry-run"], { ...lost, disk });
    expect(blind.out).toContain("what the template once wrote here is lost");
    const old = serviceDisk().text(`${ROOT}/Dockerfile`);
    commands.captured["git cat-file --batch"] = Buffer.from(
      `${id} blob ${Buffer.byteLength(old)}\n${old}\n`,
    );
    const { out } = await run(["update"], { ...lost, disk });
    expect(out).toContain("both of you changed the same lines");
  });

  it("says to take out first what the new version no longer has", async () => {
    const less = { ...NEXT, manifest: { ...NEXT.manifest, integrations: [] } };
    const given = { ...nextVersion, templates: async () => less, disk: serviceDisk(["postbox"]) };
    const { code, err } = await run(["update"], given);
    expect(code).toBe(2);
    expect(err).toContain("version 0.9.0 no longer has the integrations postbox");
    expect(err).toContain("take it out first: create-fetch-service remove-integration postbox");
    expect((await run(["remove-integration", "postbox"], given)).code).toBe(0);
    expect((await run(["update"], given)).code).toBe(0);
  });

  it("does not touch a service of a later version", async () => {
    const disk = serviceDisk();
    await run(["update"], { ...nextVersion, disk });
    for (const command of ["update", "status"]) {
      const { code, err } = await run([command], { disk });
      expect(code).toBe(1);
      expect(err).toContain("this service was made by version 0.9.0");
      expect(err).toContain("npx create-fetch-service@latest");
    }
  });
});

describe("add-integration on a service of an older version", () => {
  it("adds it as that version has it, and does not update the rest", async () => {
    const { code, disk } = await run(["add-integration", "postbox"], nextVersion);
    expect(code).toBe(0);
    expect(filesOf(disk)).toEqual(filesOf(serviceDisk(["postbox"])));
  });

  it.each([["add-integration"], ["add-integration postbox"]])(
    "%s says to update first for what only a later version has",
    async (command) => {
      const early = {
        ...templatesWithFixture,
        manifest: { ...templatesWithFixture.manifest, integrations: [] },
      };
      const archive = async () => ({ versions: [early.version], templates: () => early });
      const { code, err } = await run(command.split(" "), { ...nextVersion, archive });
      expect(code).toBe(2);
      expect(err).toMatch(/came with a later version than this service's\nhint: .* update, then/);
    },
  );
});

describe("a service of which the version's templates are lost", () => {
  const lost = {
    ...nextVersion,
    archive: async () => ({ versions: [], templates: () => undefined }),
  };

  it.each(["add-integration kafka", "remove-integration kafka"])(
    "is not brought to another one in passing: %s",
    async (command) => {
      const disk = serviceDisk(["postbox"]);
      const { code, err } = await run(command.split(" "), { ...lost, disk });
      expect(code).toBe(1);
      expect(err).toContain(`this service was made with templates ${CURRENT}`);
      expect(err).toContain("hint: create-fetch-service update");
      expect(filesOf(disk)).toEqual(filesOf(serviceDisk(["postbox"])));
      expect((await run(["update"], { ...lost, disk })).code).toBe(0);
      expect((await run(command.split(" "), { ...lost, disk })).code).toBe(0);
    },
  );

  it("differs where a recorded id says so", async () => {
    const disk = serviceDisk([], { Dockerfile: "mine\n" });
    expect((await run(["status", "--check"], { ...lost, disk: serviceDisk() })).code).toBe(0);
    const { code, out } = await run(["status", "--check"], { ...lost, disk });
    expect(code).toBe(4);
    expect(out).toContain("  Dockerfile: edited\n");
    expect(out).toMatch(/1 of \d+ files differ from the template\n$/);
    const words = "it differs; what the template once wrote there is lost\n";
    expect((await run(["diff"], { ...lost, disk })).out).toBe(
      `--- template/Dockerfile\n+++ Dockerfile\n${words}`,
    );
    disk.volume.unlinkSync(`${ROOT}/Dockerfile`);
    expect((await run(["status"], { ...lost, disk })).out).toContain("  Dockerfile: deleted\n");
    expect((await run(["diff", "Dockerfile"], { ...lost, disk })).out).toBe(
      `--- template/Dockerfile\n+++ /dev/null\n${words}`,
    );
  });
});

describe("status", () => {
  it("finds nothing in a fresh service", async () => {
    const { code, out } = await run(["status", "--check"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^demo-service: fastify\n/);
    expect(out).toMatch(/none of \d+ files differ from the template\n$/);
  });

  it("lists what differs, and exits with 4 on request", async () => {
    const disk = serviceDisk([], { "README.md": "mine\n", "src/routes/receipts.ts": "mine\n" });
    disk.volume.unlinkSync(`${ROOT}/Dockerfile`);
    disk.volume.writeFileSync(`${ROOT}/fsd.yml.new`, "x");
    expect((await run(["status"], { disk })).code).toBe(0);
    const { code, out } = await run(["status", "--check"], { disk });
    expect(code).toBe(4);
    expect(out).toContain("  Dockerfile: deleted\n");
    expect(out).toContain("  README.md: edited\n");
    expect(out).toContain("  fsd.yml.new: the template's version");
    expect(out).toMatch(/3 of \d+ files differ from the template, and 1 of your own\n$/);
  });

  it("takes a file that is the user's for no drift", async () => {
    const disk = serviceDisk([], { "src/routes/receipts.ts": "mine\n" });
    expect((await run(["status", "--check"], { disk })).code).toBe(0);
  });

  it("says that a later version is there", async () => {
    const { out } = await run(["status"], nextVersion);
    expect(out).toContain(`templates ${CURRENT}; 0.9.0 is available: create-fetch-service update`);
  });

  it("prints data", async () => {
    const disk = serviceDisk([], { "README.md": "mine\n" });
    const { code, out } = await run(["status", "--check", "--json"], { disk });
    expect(code).toBe(4);
    expect(JSON.parse(out).status).toMatchObject({
      outdated: false,
      drift: [{ path: "README.md", kind: "edited", yours: false }],
    });
  });

  it.each([
    ["nothing", undefined, "STATE_MISSING"],
    ["no JSON", "{", "STATE_BROKEN"],
    ["nonsense", '{"format":1}', "STATE_BROKEN"],
    ["a format to come", '{"format":2}', "STATE_NEWER"],
  ])("refuses a state file with %s", async (_, text, code) => {
    const disk = serviceDisk();
    disk.volume.unlinkSync(`${ROOT}/.fetch-service.json`);
    if (text !== undefined) {
      disk.volume.writeFileSync(`${ROOT}/.fetch-service.json`, text);
    }
    const { out, code: exitCode } = await run(["status", "--json"], { disk });
    expect(exitCode).toBe(1);
    expect(JSON.parse(out).error).toMatchObject({ code, hint: expect.any(String) });
  });
});

const editedDisk = () =>
  serviceDisk([], {
    "README.md": `${README}mine\n`,
    "src/routes/receipts.ts": "mine\n",
    "fsd.yml": "\0",
  });

describe("diff", () => {
  it("shows what is not the template's, as git would", async () => {
    const { code, out } = await run(["diff"], { disk: editedDisk() });
    expect(code).toBe(0);
    expect(out).toMatch(/^--- template\/README\.md\n\+\+\+ README\.md\n@@ /m);
    expect(out).toMatch(/^\+mine$/m);
    expect(out).toContain("--- template/fsd.yml\n+++ fsd.yml\nthe bytes differ\n");
    expect(out).not.toContain("src/routes/receipts.ts");
  });

  it("of a path shows that path only, also when it is the user's own", async () => {
    const { out } = await run(["diff", "./src/"], { disk: editedDisk() });
    expect(out).toMatch(/^--- template\/src\/routes\/receipts\.ts$/m);
    expect(out).not.toContain("README");
  });

  it("shows the edit alone in a checkout with the line ends of Windows", async () => {
    const disk = serviceDisk([], {
      "README.md": `\u{FEFF}${README}mine\n`.replaceAll("\n", "\r\n"),
    });
    const { out } = await run(["diff"], { disk });
    expect(out.match(/^[-+](?![-+])[^\n]*/gm)).toEqual(["+mine\r"]);
  });

  it("refuses a path that is not there", async () => {
    const { code, err } = await run(["diff", "REDME.md"], { disk: editedDisk() });
    expect(code).toBe(2);
    expect(err).toContain("this service has no file REDME.md");
  });
});

function lostState(text?: string): MemoryDisk {
  const disk = serviceDisk(["postbox"], {
    "README.md": `${README}mine\n`,
    "src/routes/receipts.ts": "mine\n",
  });
  disk.volume.unlinkSync(`${ROOT}/.fetch-service.json`);
  if (text !== undefined) {
    disk.volume.writeFileSync(`${ROOT}/.fetch-service.json`, text);
  }
  return disk;
}

const state = (disk: MemoryDisk) => disk.text(`${ROOT}/.fetch-service.json`);

describe("adopt", () => {
  it.each([
    ["lost", undefined],
    ["broken", "{"],
  ])("rebuilds a state file that is %s, after which all else works", async (_, text) => {
    const disk = lostState(text);
    const { code, out } = await run(["adopt", "--yes"], { disk });
    expect(code).toBe(0);
    expect(out).toMatch(/integrations +postbox\n/);
    expect(out).toMatch(/\d+ of \d+ files are exactly what that renders/);
    expect(state(disk)).toBe(state(serviceDisk(["postbox"])));
    expect((await run(["adopt", "--yes"], { disk })).out).toContain("Nothing to rebuild");
    expect((await run(["remove-integration", "postbox"], { disk })).code).toBe(0);
    expect(disk.text(`${ROOT}/src/routes/receipts.ts`)).toBe("mine\n");
  });

  it("leaves a good record alone, also of answers that it would not have guessed", async () => {
    const good = state(serviceDisk()).replace('"team": "platform"', '"team": "owls"');
    const disk = serviceDisk([], { ".fetch-service.json": good });
    const { code, out } = await run(["adopt", "--json"], { disk });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ adopted: null });
    expect(state(disk)).toBe(good);
  });

  it.each([
    ["format", '{"format":2}'],
    [
      "version",
      state(serviceDisk()).replace(/"templateVersion": "[^"]+"/, '"templateVersion": "9.9.9"'),
    ],
  ])("refuses a record of a later %s", async (_, text) => {
    const disk = lostState(text);
    const { code, err } = await run(["adopt", "--yes"], { disk });
    expect(code).toBe(1);
    expect(err).toContain("npx create-fetch-service@latest");
    expect(state(disk)).toBe(text);
  });

  it("prints what it wrote as data", async () => {
    const { out } = await run(["adopt", "--json"], { disk: lostState() });
    expect(JSON.parse(out).adopted).toMatchObject({
      answers: { integrations: ["postbox"] },
      templateVersion: CURRENT,
      equal: expect.any(Number),
      total: expect.any(Number),
    });
  });

  it("asks before it writes, where somebody sits", async () => {
    const disk = lostState();
    const prompter = new FakePrompter([false]);
    const { code } = await run(["adopt"], { disk, prompter });
    expect(code).toBe(130);
    expect(disk.volume.existsSync(`${ROOT}/.fetch-service.json`)).toBe(false);
  });

  it("writes nothing with --dry-run, and prints data with --json", async () => {
    const disk = lostState();
    const { out } = await run(["adopt", "--dry-run", "--json"], { disk });
    expect(JSON.parse(out).plan.answers.integrations).toEqual(["postbox"]);
    expect(disk.volume.existsSync(`${ROOT}/.fetch-service.json`)).toBe(false);
  });

  it("finds the version among older ones", async () => {
    const disk = lostState();
    const { out } = await run(["adopt", "--yes"], { ...nextVersion, disk });
    expect(out).toContain(`made by version ${CURRENT}`);
  });

  it("refuses a folder that is something else", async () => {
    const disk = new MemoryDisk({ [`${ROOT}/package.json`]: '{"name":"other"}' });
    const { code, err } = await run(["adopt", "--yes"], { disk });
    expect(code).toBe(1);
    expect(err).toContain("does not look like a service made by create-fetch-service");
  });
});

/** Undoes an add with an install that ends like this. */
async function undoWith(args: string[], result: object, given: Given = {}): Promise<FakeRun> {
  const disk = serviceDisk();
  await run(["add-integration", "postbox"], { disk });
  const commands = new FakeCommands({ "npm install": result });
  const undone = await run(["undo", ...args], { disk, commands, ...given });
  expect(filesOf(disk)).toEqual(filesOf(serviceDisk()));
  return undone;
}

describe("undo", () => {
  it("takes an add back, and installs what was there before", async () => {
    const disk = serviceDisk();
    await run(["add-integration", "postbox"], { disk });
    const { code, out, commands } = await run(["undo"], { disk });
    expect(code).toBe(0);
    expect(out).toMatch(/✓ Undid add-integration postbox: \d+ changed, \d+ deleted\n/);
    expect(commands.calls).toEqual(["npm install"]);
    expect(disk.everything()).toEqual(serviceDisk().everything());
    expect(filesOf(disk)).toEqual(filesOf(serviceDisk()));
    expect((await run(["undo"], { disk })).err).toContain("there is nothing to undo here");
  });

  it.each([
    [{ exitCode: 1, output: "no network" }, 1, "no network", "install again when that is fixed"],
    [
      { exitCode: undefined, signal: "SIGINT" },
      130,
      "written and whole",
      "go on with: cd demo-service && npm install",
    ],
  ])("says how to go on after an install that ends with %o", async (result, code, ...messages) => {
    const undone = await undoWith(["--directory", "demo-service"], result, { cwd: "/home" });
    expect(undone.code).toBe(code);
    expect(undone.out).toContain("✓ Undid add-integration postbox");
    messages.forEach((message) => expect(undone.err).toContain(message));
    expect(undone.err).not.toContain("nothing was written");
  });

  it("never says that nothing was written when its install is interrupted", async () => {
    const controller = new AbortController();
    const commands = new FakeCommands();
    commands.onRun = () =>
      controller.abort(new UserError("INTERRUPTED", "interrupted; nothing was written"));
    const { code, err } = await undoWith([], {}, { commands, signal: controller.signal });
    expect(code).toBe(130);
    expect(err).toContain("error: interrupted; the service's files are written and whole\n");
  });

  it("leaves the install out on request, and says where to do it", async () => {
    const undone = await undoWith(
      ["--no-install", "--directory", "demo-service"],
      {},
      { cwd: "/home" },
    );
    expect(undone.code).toBe(0);
    expect(undone.commands.calls).toEqual([]);
    expect(undone.out).toMatch(/\nNext:\n {2}cd demo-service\n {2}npm install\n$/);
  });

  it("prints data, also of an install that failed", async () => {
    const done = await undoWith(["--json"], {});
    expect(JSON.parse(done.out)).toEqual({
      undone: {
        command: "add-integration postbox",
        changes: expect.arrayContaining([{ path: "package.json", kind: "update" }]),
        kept: [],
      },
      installed: true,
      nextSteps: [],
    });
    const failed = await undoWith(["--json"], { exitCode: 1 });
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.out)).toMatchObject({
      undone: { command: "add-integration postbox" },
      installed: false,
      nextSteps: ["npm install"],
      error: { code: "INSTALL_FAILED" },
    });
  });

  it("names what changed since, and takes back the rest on request", async () => {
    const disk = serviceDisk();
    await run(["add-integration", "postbox"], { disk });
    disk.volume.writeFileSync(`${ROOT}/README.md`, "edited\n");
    const refused = await run(["undo"], { disk });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("so nothing was undone:\n  README.md\nhint: undo --force-files");
    const { code, out } = await run(["undo", "--force-files"], { disk });
    expect(code).toBe(0);
    expect(out).toContain("- README.md changed since, and stays as it is\n");
    expect(disk.text(`${ROOT}/README.md`)).toBe("edited\n");
    expect(disk.text(`${ROOT}/.fetch-service.json`)).not.toContain("postbox");
  });

  it("prints what it would do", async () => {
    const disk = serviceDisk();
    await run(["add-integration", "postbox"], { disk });
    const { out } = await run(["undo", "--dry-run"], { disk });
    expect(out).toMatch(/^ {2}- src\/integrations\/postbox\/index\.ts$/m);
    expect(filesOf(disk)).toEqual(filesOf(serviceDisk(["postbox"])));
  });
});

describe("a run that was cut off", () => {
  it("is finished by the next command, whichever it is, and said", async () => {
    const whole = serviceDisk();
    await run(["add-integration", "postbox"], { disk: whole });
    for (const command of ["status", "add-integration postbox", "undo"]) {
      const disk = serviceDisk();
      const rename = disk.rename.bind(disk);
      let renames = 0;
      disk.rename = async (from, to) => {
        renames += 1;
        if (renames > 3) {
          throw Object.assign(new Error("EIO"), { code: "EIO" });
        }
        await rename(from, to);
      };
      expect((await run(["add-integration", "postbox"], { disk })).code).toBe(1);
      disk.rename = rename;
      const { code, out } = await run(command.split(" "), { disk });
      expect(code).toBe(0);
      expect(out).toContain("- `add-integration postbox` was interrupted");
      expect(filesOf(disk)).toEqual(filesOf(serviceDisk(command === "undo" ? [] : ["postbox"])));
    }
  });
});

/** A service's disk of which these operations fail as Node says it. */
function refusing(operation: "readFile" | "makeFolder", code: string, syscall: string) {
  const disk = serviceDisk();
  disk[operation] = async (path: string) => {
    throw Object.assign(new Error(code), { code, syscall, path });
  };
  return disk;
}

describe("a disk that refuses", () => {
  it("is no bug of ours, also where nobody thought of it", async () => {
    const { code, err } = await run(["status"], { disk: refusing("readFile", "EACCES", "open") });
    expect(code).toBe(1);
    expect(err).toMatch(/^error: cannot read .*\.fetch-service\.json: you may not read there\n/);
  });

  it("leaves a run that was cut off to a later one, and says so", async () => {
    const disk = refusing("makeFolder", "EROFS", "mkdir");
    disk.volume.mkdirSync(`${ROOT}/.fetch-service/commit`, { recursive: true });
    const { code, err } = await run(["status"], { disk });
    expect(code).toBe(1);
    expect(err).toContain("that disk is read-only; an earlier command was interrupted");
    expect(err).toContain("hint: make it writable, and run the command again");
  });
});

describe("a run that another one overtakes", () => {
  /** The service's disk; before the nth look at it, the other run does all of its work. */
  class OvertakenDisk extends MemoryDisk {
    looks = 0;
    readonly #overtake: (look: number) => Promise<void>;

    constructor(overtake: (look: number) => Promise<void>) {
      super();
      this.volume.fromJSON(serviceDisk().volume.toJSON());
      this.#overtake = overtake;
    }

    override async kindOf(path: string) {
      this.looks += 1;
      await this.#overtake(this.looks);
      return await super.kindOf(path);
    }
  }

  it("writes both changes or says that it did nothing, wherever it is overtaken", async () => {
    const flags = ["--no-install"];
    const processes = new FakeProcesses({ pid: 1, running: [2] });
    const other = { processes: new FakeProcesses({ pid: 2, running: [1] }) };
    const plain = new OvertakenDisk(async () => undefined);
    await run(["add-integration", "postbox", ...flags], { disk: plain, processes });
    const wanted = { 0: ["kafka", "postbox"], 1: ["kafka"] };
    const outcomes = new Set<number>();
    // At first the state is read, which is the moment that counts.
    for (let turn = 1; turn <= plain.looks; turn += turn < 20 ? 1 : 20) {
      let overtaken = 0;
      const disk: OvertakenDisk = new OvertakenDisk(async (look) => {
        if (look === turn) {
          const second = await run(["add-integration", "kafka", ...flags], { disk, ...other });
          overtaken = Number(second.code === 0);
        }
      });
      const { code, err } = await run(["add-integration", "postbox", ...flags], {
        disk,
        processes,
      });
      outcomes.add(code);
      expect(code === 0 || /in the meantime/.test(err), `look ${turn}: ${err}`).toBe(true);
      const names = wanted[code as 0 | 1].filter((name) => name !== "kafka" || overtaken === 1);
      expect(textsOf(disk), `look ${turn}`).toEqual(textsOf(serviceDisk(names)));
    }
    expect(outcomes).toEqual(new Set([0, 1]));
  });
});
