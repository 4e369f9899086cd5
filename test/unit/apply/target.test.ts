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
      exists: false,
      appears: join(home, "x"),
      parent: home,
    });
  });

  it("appears at the first folder that is missing", async () => {
    expect(await findTarget(disk, home, "a/b/c")).toEqual({
      folder: join(home, "a/b/c"),
      exists: false,
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

  it.each([".git", ".gitignore", "README.md", "readme", "LICENSE", "licence.txt", ".DS_Store"])(
    "may be a folder with nothing but %s",
    async (name) => {
      mkdirSync(join(home, "x", name), { recursive: true });
      await expect(findTarget(disk, home, "x")).resolves.toMatchObject({ exists: true });
    },
  );

  it("may be the folder where the user stands", async () => {
    mkdirSync(join(home, "x"));
    const cwd = join(home, "x");
    await expect(findTarget(disk, cwd, ".")).resolves.toMatchObject({ folder: cwd, exists: true });
  });

  it("is taken by a folder with anything else in it, which is named", async () => {
    for (const name of ["package.json", "src", "z", ".git", "a b"]) {
      mkdirSync(join(home, "x", name), { recursive: true });
    }
    const message = "x is not empty: it holds a b, package.json, src and more";
    await expect(findTarget(disk, home, "x")).rejects.toThrow(message);
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

  it.each(["..", "../.."])("cannot be %s, above where the user stands", async (directory) => {
    await expect(findTarget(disk, home, directory)).rejects.toThrow("above the one you are in");
  });
});
