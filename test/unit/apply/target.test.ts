import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { findTarget } from "../../../src/apply/target.ts";
import { disk } from "../../../src/system/disk.ts";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "target-"));
});

afterEach(() => rmSync(home, { recursive: true }));

describe("the target of a new service, on a real disk", () => {
  it("is free when nothing is there", async () => {
    expect(await findTarget(disk, home, "x")).toEqual({
      folder: join(home, "x"),
      appears: join(home, "x"),
      parent: home,
    });
  });

  it("appears at the first folder that is missing", async () => {
    expect(await findTarget(disk, home, "a/b/c")).toEqual({
      folder: join(home, "a/b/c"),
      appears: join(home, "a"),
      parent: home,
    });
  });

  it("may be an empty folder", async () => {
    mkdirSync(join(home, "x"));
    await expect(findTarget(disk, home, "x")).resolves.toMatchObject({ folder: join(home, "x") });
  });

  it("is taken by a file", async () => {
    writeFileSync(join(home, "x"), "");
    await expect(findTarget(disk, home, "x")).rejects.toThrow("is a file");
  });

  it("is taken by a folder with anything in it", async () => {
    mkdirSync(join(home, "x/.git"), { recursive: true });
    await expect(findTarget(disk, home, "x")).rejects.toThrow("is a folder that is not empty");
  });

  it.each(["/tmp", "./nowhere"])("is taken by a link, to %s", async (to) => {
    symlinkSync(to, join(home, "x"));
    await expect(findTarget(disk, home, "x")).rejects.toThrow("is a link to somewhere else");
    expect(readdirSync(home)).toEqual(["x"]);
  });

  it("cannot be below a file", async () => {
    writeFileSync(join(home, "x"), "");
    await expect(findTarget(disk, home, "x/y/z")).rejects.toThrow("is not a folder");
  });

  it.each([".", "..", "../.."])("cannot be %s, where the user stands", async (directory) => {
    await expect(findTarget(disk, home, directory)).rejects.toThrow("the folder you are in");
  });
});
