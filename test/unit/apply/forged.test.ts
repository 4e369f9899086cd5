import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { commit } from "../../../src/apply/commit.ts";
import { recover } from "../../../src/apply/recover.ts";
import { readUndo } from "../../../src/apply/undo.ts";
import { UserError } from "../../../src/errors.ts";
import { blobId } from "../../../src/plan/blob-id.ts";
import { readState } from "../../../src/plan/read-state.ts";
import { disk } from "../../../src/system/disk.ts";
import { processes } from "../../../src/system/processes.ts";
import { change } from "../../support/changes.ts";

let home: string;
let root: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "forged-"));
  root = join(home, "service");
  mkdirSync(root);
});

afterEach(() => rmSync(home, { recursive: true }));

const id = (text: string) => blobId(Buffer.from(text));
const made = (path: string, text = "new\n") => ({
  path,
  before: null,
  after: { id: id(text), mode: 0o644 },
});

/** A service as it comes from a stranger: with changes that are decided, but not made. */
function forge(steps: unknown, phase = "commit"): string {
  const folder = join(root, ".fetch-service", phase);
  mkdirSync(folder, { recursive: true });
  const journal = { command: "update", undoes: false, steps };
  writeFileSync(join(folder, "journal"), JSON.stringify(journal));
  return folder;
}

/** All paths, but for the file that hides our folder from git. */
const everything = () =>
  readdirSync(home, { recursive: true, encoding: "utf8" })
    .filter((path) => !path.endsWith(".fetch-service/.gitignore"))
    .sort();

describe("changes that somebody forged are refused before anything moves", () => {
  it.each([
    "../outside",
    "/etc/outside",
    ".git/hooks/pre-commit",
    "vendor/lib/.git/hooks/post-checkout",
    "vendor/.GIT/config",
    "vendor/git~1/config",
    "vendor/.git. /config",
    "a\\b",
  ])("a path: %s", async (path) => {
    const folder = forge([made("first"), made(path)]);
    writeFileSync(join(folder, "0.new"), "new\n");
    writeFileSync(join(folder, "1.new"), "new\n");
    const before = everything();
    await expect(recover(disk, processes, root)).rejects.toMatchObject({ code: "CANNOT_WRITE" });
    expect(everything()).toEqual(before);
  });

  it("a step below a folder that is a link", async () => {
    mkdirSync(join(home, "elsewhere"));
    symlinkSync("../elsewhere", join(root, "linked"));
    const folder = forge([made("first"), made("linked/second")]);
    writeFileSync(join(folder, "0.new"), "new\n");
    writeFileSync(join(folder, "1.new"), "new\n");
    await expect(recover(disk, processes, root)).rejects.toThrow("linked is a link");
    expect(existsSync(join(root, "first"))).toBe(false);
    expect(readdirSync(join(home, "elsewhere"))).toEqual([]);
  });

  it.each([
    ["a link", (path: string) => symlinkSync("/etc/passwd", path)],
    ["a pipe", (path: string) => void execFileSync("mkfifo", [path])],
    ["a folder", (path: string) => mkdirSync(path)],
  ])("%s in place of a file", async (_, make) => {
    for (const [phase, name] of [
      ["commit", "1.new"],
      ["rollback", "1.old"],
    ] as const) {
      const folder = forge([made("first"), made("second")], phase);
      writeFileSync(join(folder, "0.new"), "new\n");
      make(join(folder, name));
      await expect(recover(disk, processes, root)).rejects.toThrow("is damaged");
      expect(readdirSync(root)).toEqual([".fetch-service"]);
      rmSync(join(root, ".fetch-service"), { recursive: true });
    }
  });

  it("but a set-id program loses that bit", async () => {
    const folder = forge([made("tool")]);
    writeFileSync(join(folder, "0.new"), "new\n");
    chmodSync(join(folder, "0.new"), 0o6755);
    await recover(disk, processes, root);
    expect(lstatSync(join(root, "tool")).mode & 0o7777).toBe(0o755);
  });

  it.each([0o4755, 0o100644, -1, 0.5, "644", null])("a mode: %s", async (mode) => {
    forge([{ ...made("tool"), after: { id: id("new\n"), mode } }], "undo");
    await expect(readUndo(disk, root)).rejects.toMatchObject({ code: "CANNOT_WRITE" });
  });
});

describe("journals of any shape", () => {
  const path = fc.oneof(
    fc.constantFrom(
      "a",
      "b/c",
      "../x",
      ".git/config",
      "d/.git/x",
      "linked/x",
      "",
      "\u0000",
      "a/../b",
    ),
    fc.string({ maxLength: 12 }),
  );
  const state = fc.oneof(
    fc.constant(null),
    fc.record({
      id: fc.oneof(fc.constant(id("new\n")), fc.string({ maxLength: 41 })),
      mode: fc.oneof(fc.constantFrom(0o644, 0o4755), fc.integer()),
    }),
  );
  const step = fc.oneof(fc.record({ path, before: state, after: state }), fc.jsonValue());
  const phase = fc.constantFrom("commit", "rollback", "undo");

  it("are refused or carried out, inside the service only", async () => {
    writeFileSync(join(home, "outside"), "mine\n");
    mkdirSync(join(home, "elsewhere"));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 4 }), phase, async (steps, where) => {
        rmSync(root, { recursive: true });
        mkdirSync(root);
        symlinkSync("../elsewhere", join(root, "linked"));
        writeFileSync(join(root, "a"), "new\n");
        const folder = forge(steps, where);
        steps.forEach((_, index) => {
          writeFileSync(join(folder, `${index}.new`), "new\n");
          writeFileSync(join(folder, `${index}.old`), "old\n");
        });
        const work = where === "undo" ? readUndo(disk, root) : recover(disk, processes, root);
        const error = await work.then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error === undefined || error instanceof UserError, String(error)).toBe(true);
        expect(readFileSync(join(home, "outside"), "utf8")).toBe("mine\n");
        expect(readdirSync(join(home, "elsewhere"))).toEqual([]);
        expect(readdirSync(home).sort()).toEqual(["elsewhere", "outside", "service"]);
        expect(everything().some((one) => /(?:^|\/)\.git(?:\/|$)/i.test(one))).toBe(false);
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});

describe("state files of any shape", () => {
  it("are read or refused", () => {
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc.string().map((inner) => `{"format":1,${inner}}`),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          readState(Buffer.from(given));
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { seed: 7, numRuns: 1000 },
    );
  });

  it("may begin with a byte order mark", () => {
    const state = { format: 1, templateVersion: "1.0.0", answers: {}, files: {} };
    const read = readState(Buffer.from(`\uFEFF${JSON.stringify(state)}`));
    expect(read.templateVersion).toBe("1.0.0");
  });
});

describe.skipIf(process.getuid?.() !== 0)("root on somebody else's service", () => {
  it("leaves every file to its owner", async () => {
    const [OWNER, OTHER] = [12_345, 23_456];
    const own = (path: string, user: number) => lchownSync(join(root, path), user, user);
    writeFileSync(join(root, "theirs"), "old\n");
    writeFileSync(join(root, "other"), "old\n");
    chmodSync(join(root, "theirs"), 0o644);
    chmodSync(join(root, "other"), 0o644);
    own(".", OWNER);
    own("theirs", OWNER);
    own("other", OTHER);
    await commit(
      { fs: disk, processes, signal: new AbortController().signal },
      {
        root,
        command: "update",
        changes: [
          change("theirs", { text: "old\n" }, { text: "new\n" }),
          change("other", { text: "old\n" }, { text: "new\n" }),
          change("deep/down/made", null, { text: "new\n" }),
        ],
      },
    );
    const owners = Object.fromEntries(
      readdirSync(root, { recursive: true, encoding: "utf8" }).map((path) => [
        path,
        lstatSync(join(root, path)).uid,
      ]),
    );
    expect(owners["other"]).toBe(OTHER);
    const others = Object.entries(owners).filter(([, uid]) => uid !== OWNER);
    expect(others.map(([path]) => path).sort()).toEqual([".fetch-service/undo/1.old", "other"]);
  });
});
