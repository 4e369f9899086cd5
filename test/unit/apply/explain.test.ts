import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { explainSystem } from "../../../src/apply/explain.ts";
import { InternalError, UserError } from "../../../src/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "explain-"));

afterAll(() => rmSync(folder, { recursive: true }));

function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

const system = (code: string, syscall: string, path?: string) =>
  Object.assign(new Error(code), { code, syscall, ...(path !== undefined && { path }) });

describe("an error of the disk that nobody expected", () => {
  it.each([
    [system("EACCES", "open", "/a/b"), "cannot read /a/b: you may not read there"],
    [system("EACCES", "mkdir", "/a/b"), "cannot write /a/b: you may not write there"],
    [system("EROFS", "mkdir", "/a/b"), "cannot write /a/b: that disk is read-only"],
    [system("ENOSPC", "write"), "cannot write on the disk: the disk is full"],
    [errorOf(() => readFileSync(folder)), "cannot read on the disk: a folder is where"],
    [errorOf(() => readdirSync(import.meta.filename)), "a file is where a folder belongs"],
    [
      errorOf(() => {
        mkdirSync(join(folder, "a/b"), { recursive: true });
        mkdirSync(join(folder, "c"));
        renameSync(join(folder, "c"), join(folder, "a"));
      }),
      "something appeared there in the meantime",
    ],
  ])("is said in the user's words: %s", (error, message) => {
    const explained = explainSystem(error);
    expect(explained).toBeInstanceOf(UserError);
    expect(explained).toMatchObject({
      message: expect.stringContaining(message),
      hint: expect.stringContaining("and run the command again"),
    });
  });

  it.each([
    system("EACCES", "spawn npm", "npm"),
    system("EACCES", "listen"),
    system("EWHATEVER", "open", "/a"),
    new InternalError("x"),
    new UserError("USAGE", "x"),
    "text",
  ])("is no other one: %s", (error) => {
    expect(explainSystem(error)).toBe(error);
  });
});
