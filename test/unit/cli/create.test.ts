import { describe, expect, it } from "vitest";

import { UserError } from "../../../src/errors.ts";
import { FakeCommands, FakePrompter, runFake } from "../../support/fake-host.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";
import { templates } from "../../support/templates.ts";

const made = (disk: MemoryDisk) => disk.everything().filter((path) => path !== "/home/");

const files = (text: string) => ({ disk: new MemoryDisk({ "/home/answers.json": text }) });

describe("create with --yes", () => {
  it("writes the service, installs it and commits it, in this order", async () => {
    const { code, out, disk, commands } = await runFake(["my-service", "--yes"]);
    expect(code).toBe(0);
    expect(JSON.parse(disk.text("/home/my-service/package.json"))).toMatchObject({
      name: "my-service",
    });
    expect(commands.calls.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      "npm install",
      "git rev-parse",
      "git init",
      "git add",
      "git -c",
      "git -c",
    ]);
    expect(out).toMatch(/Next, with Node \S.*:\n {2}cd my-service\n {2}npm run dev\n/);
  });

  it("leaves nothing beside the service", async () => {
    const { disk } = await runFake(["my-service", "--yes"]);
    expect(made(disk).filter((path) => !path.startsWith("/home/my-service/"))).toEqual([]);
  });

  it("takes the package manager that runs it", async () => {
    const env = { npm_config_user_agent: "pnpm/12.21.0 npm/? node/v26.10.0 linux x64" };
    const { commands, disk } = await runFake(["my-service", "--yes"], { env });
    expect(commands.calls[0]).toBe("pnpm install");
    expect(JSON.parse(disk.text("/home/my-service/.fetch-service.json")).answers).toMatchObject({
      packageManager: "pnpm",
    });
  });

  it("skips what is not wanted, and says how to go on", async () => {
    const { commands, out } = await runFake(["my-service", "--yes", "--no-install", "--no-git"]);
    expect(commands.calls).toEqual([]);
    expect(out).toMatch(
      /Next, with Node \S.*:\n {2}cd my-service\n {2}npm install\n {2}npm run dev\n/,
    );
  });

  it("needs no servers for its integrations: an .env that git ignores has them in memory", async () => {
    const { out, disk } = await runFake(["my-service", "--yes", "--integrations", "kafka"]);
    expect(out).toContain("kafka: in memory, so no server is needed");
    expect(disk.text("/home/my-service/.env")).toMatch(/^# Yours alone.*\nENVIRONMENT=dev\n/);
    expect(disk.text("/home/my-service/.env")).toContain("\nIN_MEMORY=all\n");
    expect(disk.text("/home/my-service/.gitignore")).toContain("\n.env\n");
    const state = JSON.parse(disk.text("/home/my-service/.fetch-service.json"));
    expect(Object.keys(state.files)).not.toContain(".env");
  });

  it("writes no .env where nothing has to be set", async () => {
    const { disk } = await runFake(["my-service", "--yes"]);
    expect(disk.everything()).not.toContain("/home/my-service/.env");
  });

  it("warns when the Node in the terminal cannot run the service", async () => {
    const old = await runFake(["my-service", "--yes"], { nodeVersion: "22.22.0" });
    expect(old.code).toBe(0);
    expect(old.out).toMatch(
      /- Node 22\.22\.0 is first in your PATH, and the service needs >=24\.21/,
    );
    const { out } = await runFake(["my-service", "--yes"]);
    expect(out).not.toContain("in your PATH");
  });

  it("looks past the Node that a package manager has put into PATH", async () => {
    const commands = new FakeCommands();
    commands.captured["node --version"] = Buffer.from("v20.11.1\n");
    const env = { PATH: "/checkout/node_modules/.bin:/usr/bin" };
    const { out } = await runFake(["my-service", "--yes"], { commands, env });
    expect(out).toContain("- Node 20.11.1 is first in your PATH");
    const none = await runFake(["my-service", "--yes"], { env });
    expect(none.out).toContain("- there is no Node in your PATH");
  });

  it("does not ask for the version of the Node that runs it", async () => {
    const disk = new MemoryDisk({ "/home": null, "/usr/local/bin/node": "" });
    const env = { PATH: "/npx/node_modules/.bin:/usr/sbin:/usr/local/bin" };
    const { out, commands } = await runFake(["my-service", "--yes"], { disk, env });
    expect(out).not.toContain("in your PATH");
    expect(commands.calls).not.toContain("node --version");
  });

  it("writes to --directory, through folders that do not exist yet", async () => {
    const { disk } = await runFake(["my-service", "--yes", "--directory", "a/b/c"]);
    expect(disk.everything()).toContain("/home/a/b/c/package.json");
    expect(made(disk).filter((path) => !path.startsWith("/home/a/"))).toEqual([]);
  });

  it("prints a line that makes the same service again", async () => {
    const first = await runFake([
      "my-service",
      "--yes",
      ...["--description", 'it\'s `$HOME` "here"', "--port", "9000", "--no-git"],
    ]);
    const line = first.out.trimEnd().split("\n").at(-1)?.trim();
    expect(line).toBe(
      `create-fetch-service my-service --description 'it'\\''s \`$HOME\` "here"' --port 9000 --package-manager npm --no-git --yes`,
    );
  });
});

describe("answers that are missing when nobody can be asked", () => {
  it("are named by their flags", async () => {
    const { code, err, disk } = await runFake(["my-service", "--port", "9000"]);
    expect(code).toBe(2);
    expect(err).toContain("--description, --team, --framework, --metrics-port");
    expect(err).toContain("--yes");
    expect(made(disk)).toEqual([]);
  });

  it("include the name even with --yes", async () => {
    const { code, err } = await runFake(["--yes"]);
    expect(code).toBe(2);
    expect(err).toContain("[name]");
  });

  it("can all come from flags", async () => {
    const flags = ["--description", "x", "--team", "t", "--framework", "fastify", "--port", "8000"];
    const more = ["--metrics-port", "8080", "--integrations", "none", "--package-manager", "npm"];
    expect((await runFake(["my-service", ...flags, ...more])).code).toBe(0);
  });
});

describe("--answers", () => {
  it("reads a file, and flags win over it", async () => {
    const { code, disk } = await runFake(
      ["--answers", "answers.json", "--port", "9001", "--yes"],
      files('{"name":"my-service","port":9000,"team":"owls"}'),
    );
    expect(code).toBe(0);
    expect(JSON.parse(disk.text("/home/my-service/.fetch-service.json")).answers).toMatchObject({
      port: 9001,
      team: "owls",
    });
  });

  it("reads standard input", async () => {
    const { code } = await runFake(["--answers", "-", "--yes"], { input: '{"name":"my-service"}' });
    expect(code).toBe(0);
  });

  it.each([
    ['{"nmae":"x"}', 'unknown answer "nmae"', "did you mean name?"],
    ['{"zzzzzz":1}', 'unknown answer "zzzzzz"', "use name, description"],
    ["[]", "not an object", "for example"],
    ["{", "--answers: ", "for example"],
    ['{"name":"x1","port":"9000"}', '--port "9000": use a whole number', ""],
    ['{"name":"x1","integrations":"kafka"}', '--integrations "kafka":', ""],
  ])("refuses %s", async (text, message, hint) => {
    const { code, err, disk } = await runFake(["--answers", "answers.json", "--yes"], files(text));
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).toContain(hint);
    expect(made(disk)).toEqual(["/home/answers.json"]);
  });

  it("says when the file is not there", async () => {
    const { code, err } = await runFake(["--answers", "nowhere.json", "--yes"]);
    expect(code).toBe(2);
    expect(err).toContain("--answers nowhere.json: ENOENT");
    expect(err).toContain("hint: name a JSON file with answers");
  });
});

describe("--dry-run", () => {
  it("lists the tree with sizes, and writes nothing", async () => {
    const { code, out, disk, commands } = await runFake(["my-service", "--yes", "--dry-run"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^my-service\/\n/);
    expect(out).toMatch(/^ {2}src\/\n/m);
    expect(out).toMatch(/^ {2}package\.json +[\d.]+ kB$/m);
    expect(out).toMatch(/\d+ files, [\d.]+ kB, \d+ of them yours alone; nothing was written\n$/);
    expect(made(disk)).toEqual([]);
    expect(commands.calls).toEqual([]);
  });
});

describe("--json", () => {
  it("prints one document, and everything else on standard error", async () => {
    const { out, err } = await runFake(["my-service", "--yes", "--json"]);
    expect(JSON.parse(out)).toMatchObject({
      created: { directory: "/home/my-service" },
      installed: true,
      git: { status: "committed" },
      nextSteps: ["cd my-service", "npm run dev"],
    });
    expect(err).toContain("Installing");
  });

  it("prints the plan of a dry run", async () => {
    const { out } = await runFake(["my-service", "--yes", "--json", "--dry-run"]);
    const { plan } = JSON.parse(out);
    expect(plan.files).toContainEqual(
      expect.objectContaining({ path: "package.json", owner: "merged", executable: false }),
    );
  });

  it.each([
    [["My_Service", "--yes"], "INVALID_ANSWER"],
    [["--prt", "1"], "USAGE"],
    [[], "MISSING_ANSWERS"],
  ])("prints the error of %j as data", async (args, code) => {
    const { out, code: exitCode } = await runFake([...args, "--json"]);
    expect(exitCode).toBe(2);
    expect(JSON.parse(out).error).toMatchObject({ code, message: expect.any(String) });
  });

  it("asks nothing even where somebody sits", async () => {
    const prompter = new FakePrompter([]);
    const { code } = await runFake(["my-service", "--json"], { prompter });
    expect(code).toBe(2);
    expect(prompter.questions).toEqual([]);
  });
});

describe("questions", () => {
  const everything = ["my-service", "It counts", "owls", "", "9000", "", [], "", true, true, true];

  it("are asked for what is missing, then confirmed", async () => {
    const prompter = new FakePrompter([...everything]);
    const { code, out, disk } = await runFake([], { prompter });
    expect(code).toBe(0);
    expect(prompter.questions).toEqual([
      "Name of the service",
      "What does it do?",
      "Team that owns it",
      "HTTP framework",
      "Port of the API",
      "Port of /metrics",
      "Integrations",
      "Package manager",
      "Install the dependencies?",
      "Make a git repository?",
      "Write it?",
    ]);
    expect(out).toMatch(/ports +9000, metrics on 8080/);
    expect(JSON.parse(disk.text("/home/my-service/.fetch-service.json")).answers).toMatchObject({
      description: "It counts",
      port: 9000,
      team: "owls",
    });
  });

  it("offer every integration, and write those that are ticked", async () => {
    const [first] = templates.manifest.integrations;
    const ticked = first ? [first.name] : [];
    const answers = everything.map((answer) => (Array.isArray(answer) ? ticked : answer));
    const prompter = new FakePrompter(answers);
    const { disk } = await runFake([], { prompter });
    expect(prompter.offered["Integrations"]).toEqual(
      templates.manifest.integrations.map(({ name }) => name),
    );
    const state = JSON.parse(disk.text("/home/my-service/.fetch-service.json"));
    expect(state.answers.integrations).toEqual(ticked);
  });

  it("leave out what the flags answer", async () => {
    const prompter = new FakePrompter(["", "", "", "", [], "", true]);
    const flags = ["my-service", "--port", "9000", "--no-install", "--no-git"];
    const { code } = await runFake([...flags], { prompter });
    expect(code).toBe(0);
    expect(prompter.questions).not.toContain("Port of the API");
    expect(prompter.questions).not.toContain("Install the dependencies?");
  });

  it("refuse what breaks a rule, and ask again", async () => {
    const disk = new MemoryDisk({ "/home/taken/file": "x" });
    const names = ["My Service", "taken", ...everything.slice(0, 4), "80", "9000", "9000"];
    const prompter = new FakePrompter([...names, "9001", [], "", true, true, true]);
    const { code } = await runFake([], { prompter, disk });
    expect(code).toBe(0);
    expect(prompter.refusals).toEqual([
      expect.stringContaining("lowercase letters"),
      expect.stringContaining("is not empty: it holds file"),
      expect.stringContaining("from 1024 to 65535"),
      expect.stringContaining("another port than the API's"),
    ]);
  });

  it("write nothing when the last one is answered with no", async () => {
    const prompter = new FakePrompter([...everything.slice(0, -1), false]);
    const { code, err, disk } = await runFake([], { prompter });
    expect(code).toBe(130);
    expect(err).toContain("nothing was written");
    expect(made(disk)).toEqual([]);
  });

  it("are not asked when a flag is bad anyway", async () => {
    const prompter = new FakePrompter([]);
    const { code } = await runFake(["--port", "80"], { prompter });
    expect(code).toBe(2);
    expect(prompter.questions).toEqual([]);
  });
});

describe("an install that fails", () => {
  it("shows the tool's last lines where none stands out, its exit code and what is left; the tree stays", async () => {
    const output = Array.from({ length: 40 }, (_, index) => `line ${index}`).join("\n");
    const commands = new FakeCommands({ "npm install": { exitCode: 217, output } });
    const { code, err, disk } = await runFake(["my-service", "--yes"], { commands });
    expect(code).toBe(1);
    expect(err).toContain("npm install failed (exit code 217)");
    expect(err).toContain("line 39");
    expect(err).not.toContain("line 20\n");
    expect(err).toContain(
      "hint: the files are written and whole; install again when that is fixed, then: " +
        "cd my-service && git init",
    );
    expect(disk.everything()).toContain("/home/my-service/package.json");
  });

  it.each([
    [
      "npm",
      ["npm warn deprecated x", "npm error code E404", "npm error 404 Not Found - GET /fastify"],
      ["npm error", "npm error A complete log of this run can be found in: /root/x.log"],
    ],
    [
      "pnpm",
      [
        "Progress: resolved 1",
        "Error: ERR_PNPM_FETCH_404",
        "  × resolving",
        "  ├─▶ Failed to fetch metadata from",
        "  │   http://registry.example/fastify",
        "  ╰─▶ Not Found - 404",
      ],
      ["Progress: resolved 2"],
    ],
    [
      "yarn",
      ["[1/4] Resolving", 'error Couldn\'t find package "fastify"'],
      ["info Visit the docs"],
    ],
    [
      "yarn4",
      ["➤ YN0000: · Yarn 4.18.1", "➤ YN0035: │ fastify@npm:5.0.0: Package not found"],
      ["➤ YN0013: │ A package was added", "➤ YN0000: └ Completed"],
    ],
  ])(
    "shows the lines of %s that matter",
    async (packageManager, [first = "", ...wanted], after) => {
      const noise = Array.from({ length: 40 }, (_, index) => `noise ${index}`);
      const output = [first, ...wanted, ...noise, ...after].join("\n");
      const name = packageManager.replace(/\d/, "");
      const commands = new FakeCommands({ [`${name} install`]: { exitCode: 1, output } });
      const flags = ["my-service", "--yes", "--package-manager", packageManager];
      const { err } = await runFake(flags, { commands });
      const shown = wanted.map((line) => line.replace(/^(?=\S)/, "  "));
      expect(err).toContain(`${name} install failed (exit code 1):\n${shown.join("\n")}\nhint: `);
    },
  );

  it("is part of the document, after what was made", async () => {
    const commands = new FakeCommands({ "npm install": { exitCode: 1, output: "no network" } });
    const { code, out } = await runFake(["my-service", "--yes", "--json"], { commands });
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      created: { directory: "/home/my-service" },
      installed: false,
      error: { code: "INSTALL_FAILED" },
    });
  });

  it("takes an install that Ctrl-C ended for an interruption", async () => {
    const commands = new FakeCommands({
      "npm install": { exitCode: undefined, signal: "SIGINT" },
    });
    const { code, err } = await runFake(["my-service", "--yes"], { commands });
    expect(code).toBe(130);
    expect(err).toContain("interrupted; my-service is whole");
  });

  it("says where to get a package manager that is not there", async () => {
    const commands = new FakeCommands({ "pnpm install": { exitCode: undefined, found: false } });
    const flags = ["my-service", "--yes", "--package-manager", "pnpm"];
    const { code, err } = await runFake([...flags], { commands });
    expect(code).toBe(1);
    expect(err).toContain("pnpm is not on this machine");
    expect(err).toContain("npm install --global pnpm@");
  });
});

describe("an interruption", () => {
  it("during the install leaves the whole tree, and says the command that goes on", async () => {
    const controller = new AbortController();
    const commands = new FakeCommands();
    commands.onRun = () => controller.abort(new UserError("INTERRUPTED", "interrupted"));
    const { code, err, disk } = await runFake(["my-service", "--yes", "--no-git"], {
      commands,
      signal: controller.signal,
    });
    expect(disk.everything()).toContain("/home/my-service/package.json");
    expect(code).toBe(130);
    expect(err).toBe(
      "error: interrupted; my-service is whole\nhint: go on with: cd my-service && npm install\n",
    );
  });

  it("before the tree appears leaves nothing", async () => {
    const signal = AbortSignal.abort(new UserError("INTERRUPTED", "interrupted"));
    const { code, disk } = await runFake(["my-service", "--yes"], { signal });
    expect(code).toBe(130);
    expect(made(disk)).toEqual([]);
  });
});

describe("run by npm without --", () => {
  it("refuses when npm took a flag for itself", async () => {
    const env = { npm_command: "init", npm_config_framework: "express" };
    const { code, err, disk } = await runFake(["my-service", "--yes"], { env });
    expect(code).toBe(2);
    expect(err).toContain("npm took --framework for itself");
    expect(err).toContain("npm create fetch-service -- my-service --framework …");
    expect(made(disk)).toEqual([]);
  });

  it("says where --yes went when nothing can be asked", async () => {
    const env = { npm_command: "init", npm_config_yes: "true" };
    const { code, err } = await runFake(["my-service"], { env });
    expect([code, err]).toEqual([2, expect.stringContaining("npm took --yes for itself")]);
  });

  it("does not blame the user for a flag of the checkout's script", async () => {
    const env = { npm_command: "run", npm_lifecycle_event: "create" };
    const args = ["my-service", "--yes", "--verify", "--no-install", "--no-git"];
    const { code, out } = await runFake(args, { env });
    expect(code).toBe(0);
    expect(out).toMatch(/\n {2}npm run create -- my-service .*--no-install --no-git --yes\n$/);
    expect((await runFake(args)).code).toBe(2);
  });
});

describe("git", () => {
  it.each([
    ["git rev-parse", { exitCode: undefined, found: false }, "git is not on this machine"],
    ["GIT_AUTHOR_IDENT", { exitCode: 128 }, "no user.name and user.email"],
    ["commit", { exitCode: 1, output: "fatal: no" }, "git said: fatal: no"],
    ["git init", { exitCode: 1, output: "fatal: old" }, "git said: fatal: old"],
  ])("that cannot (%s: %j) is said, and the run goes on", async (words, result, message) => {
    const commands = new FakeCommands({ [words]: result });
    const { code, out } = await runFake(["my-service", "--yes"], { commands });
    expect(code).toBe(0);
    expect(out).toContain(message);
  });
});

describe("usage", () => {
  it.each([
    [["--prt", "1"], "unknown option '--prt'", "did you mean --port?"],
    [["a", "b"], "too many arguments", "--help"],
    [["x1", "--port"], "argument missing", "--help"],
    [
      ["x1", "--yes", "--framework", "fastfy"],
      "did you mean fastify?",
      "hint: see create-fetch-service --help",
    ],
    [
      ["x1", "--yes", "--package-manager", "bun"],
      "use npm or pnpm or yarn",
      "hint: see create-fetch-service --help",
    ],
    [
      ["x1", "--yes", "--integrations", "nothing"],
      '"nothing" is unknown',
      "hint: see create-fetch-service --help",
    ],
    [["x1", "--yes", "--team", "7"], "--team", "hint: for example --team platform"],
    [["x1", "--yes", "--description", ""], "1 to 300", 'hint: for example --description "What'],
    [
      ["x1", "--yes", "--port", "8e3"],
      "whole number from 1024 to 65535",
      "hint: for example --port 9000",
    ],
    [
      ["x1", "--yes", "--port", "70000"],
      "whole number from 1024 to 65535",
      "hint: for example --port 9000",
    ],
    [
      ["x1", "--yes", "--port", "8080"],
      "two different ports",
      "hint: for example --metrics-port 9090",
    ],
    [["x1", "--yes", "--verify", "--no-install"], "--verify needs", ""],
  ])("refuses %j", async (args, message, hint) => {
    const { code, err, disk } = await runFake(args);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).toContain(hint);
    expect(made(disk)).toEqual([]);
  });
});
