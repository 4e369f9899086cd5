import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { initRepository, readBlobs } from "../../../src/apply/git.ts";
import { blobId } from "../../../src/plan/blob-id.ts";
import { commands } from "../../../src/system/commands.ts";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "git-"));
});

afterEach(() => rmSync(home, { recursive: true }));

const TEXTS = ["one\r\ntwo", "a last line\n", "", "\0\u00FF bytes\n"].map((text) =>
  Buffer.from(text, "latin1"),
);
const IDS = TEXTS.map(blobId);

describe("blobs from a service's own git", () => {
  it("come byte for byte, and none for what it does not have", async () => {
    execFileSync("git", ["init", "--quiet"], { cwd: home });
    for (const [index, bytes] of TEXTS.entries()) {
      writeFileSync(join(home, String(index)), bytes);
    }
    execFileSync("git", ["-c", "core.autocrlf=false", "add", "--all"], { cwd: home });
    const blobs = await readBlobs(commands, home, [...IDS, "0".repeat(40)]);
    expect([...blobs.keys()]).toEqual(IDS);
    for (const [index, id] of IDS.entries()) {
      expect(Buffer.from(blobs.get(id) ?? "missing")).toEqual(TEXTS[index]);
    }
  });

  it("are none where there is no repository, and none where there is no git", async () => {
    expect(await readBlobs(commands, home, IDS)).toEqual(new Map());
    const withoutGit = {
      ...commands,
      capture: () => commands.capture("no-such-program", [], { cwd: home }),
    };
    expect(await readBlobs(withoutGit, home, IDS)).toEqual(new Map());
  });

  it("come from one process, however many there are", async () => {
    let processes = 0;
    const counting = {
      ...commands,
      capture: (...args: Parameters<typeof commands.capture>) => {
        processes += 1;
        return commands.capture(...args);
      },
    };
    const many = Array.from({ length: 3000 }, (_, index) => blobId(Buffer.from(String(index))));
    execFileSync("git", ["init", "--quiet"], { cwd: home });
    expect((await readBlobs(counting, home, many)).size).toBe(0);
    expect(processes).toBe(1);
  });

  it("are never fetched, and no program that the repository names is run", async () => {
    const git = (...args: string[]) => execFileSync("git", args, { cwd: home });
    const trap = join(home, "trap");
    const sprung = join(home, "sprung");
    writeFileSync(trap, `#!/bin/sh\necho "$0 $*" >> ${sprung}\n`);
    chmodSync(trap, 0o755);
    git("init", "--quiet");
    mkdirSync(join(home, "elsewhere"));
    for (const [key, value] of [
      ["core.repositoryFormatVersion", "1"],
      ["extensions.partialClone", "origin"],
      ["remote.origin.url", join(home, "elsewhere")],
      ["remote.origin.promisor", "true"],
      ["remote.origin.uploadpack", trap],
      ["core.fsmonitor", trap],
      ["core.sshCommand", trap],
      ["core.pager", trap],
      ["core.askPass", trap],
      ["core.editor", trap],
    ] as const) {
      git("config", key, value);
    }
    expect(await readBlobs(commands, home, IDS)).toEqual(new Map());
    for (const url of [`ext::${trap}`, `ssh://host/${trap}`, `file://${home}/elsewhere`]) {
      git("config", "remote.origin.url", url);
      expect(await readBlobs(commands, home, IDS)).toEqual(new Map());
    }
    expect(existsSync(sprung) && readFileSync(sprung, "utf8")).toBe(false);
  });
});

describe("a first commit", () => {
  const { signal } = new AbortController();
  const identity = {
    GIT_AUTHOR_NAME: "a",
    GIT_AUTHOR_EMAIL: "a@example.com",
    GIT_COMMITTER_NAME: "a",
    GIT_COMMITTER_EMAIL: "a@example.com",
  };
  const before = { ...process.env };

  beforeEach(() => {
    Object.assign(process.env, identity, { HOME: home });
    mkdirSync(join(home, "service"));
    writeFileSync(join(home, "service/file"), "x");
  });

  afterEach(() => {
    Object.keys(identity).forEach((name) => delete process.env[name]);
    Object.assign(process.env, { HOME: before["HOME"] });
  });

  it("is made, whatever hooks the user has for all repositories", async () => {
    mkdirSync(join(home, "hooks"));
    for (const hook of [
      "pre-commit",
      "prepare-commit-msg",
      "commit-msg",
      "reference-transaction",
    ]) {
      writeFileSync(join(home, "hooks", hook), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    }
    writeFileSync(join(home, ".gitconfig"), `[core]\nhooksPath = ${home}/hooks\n`);
    const outcome = await initRepository(commands, join(home, "service"), signal);
    expect(outcome).toEqual({ status: "committed" });
  });

  it("is not made inside another repository, unless that one ignores the folder", async () => {
    execFileSync("git", ["init", "--quiet"], { cwd: home });
    const cwd = join(home, "service");
    const outcome = await initRepository(commands, cwd, signal);
    expect(outcome).toMatchObject({ status: "skipped", reason: expect.stringMatching(/inside/) });
    writeFileSync(join(home, ".gitignore"), "*\n");
    expect(await initRepository(commands, cwd, signal)).toEqual({ status: "committed" });
    expect(existsSync(join(cwd, ".git"))).toBe(true);
  });
});
