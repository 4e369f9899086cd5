import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { readBlobs } from "../../../src/apply/git.ts";
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
});
