import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, expect, it } from "vitest";

import { mergeText } from "../../../../../src/plan/merge/three-way/text.ts";

const folder = mkdtempSync(join(tmpdir(), "merge-file-"));
afterAll(() => rmSync(folder, { recursive: true }));

const LABELS = { mine: "yours", theirs: "template 0.2.0" };

/** What git makes of the same three texts. */
function mergedByGit(base: string, mine: string, theirs: string): string {
  const files = Object.entries({ mine, base, theirs }).map(([name, text]) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  });
  const labels = [LABELS.mine, "base", LABELS.theirs].flatMap((label) => ["-L", label]);
  const args = ["merge-file", "-p", ...labels, ...files];
  return spawnSync("git", args, { encoding: "utf8" }).stdout;
}

const BASE = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

it.each([
  ["changes apart", BASE.replace("one", "ONE"), BASE.replace("seven", "SEVEN")],
  ["the same change", BASE.replace("one", "ONE"), BASE.replace("one", "ONE")],
  ["a clash", BASE.replace("four", "mine"), BASE.replace("four", "theirs")],
  [
    "a clash with common lines",
    BASE.replace("four", "4\nmine\n5"),
    BASE.replace("four", "4\ntheirs\n5"),
  ],
  [
    "a clash of several lines",
    BASE.replace("three\nfour", "mine"),
    BASE.replace("four\nfive", "theirs\n5"),
  ],
  ["a deletion and a change", BASE.replace("four\n", ""), BASE.replace("four", "theirs")],
  ["two insertions", BASE.replace("four", "four\nmine"), BASE.replace("four", "four\ntheirs")],
  ["clashes far apart", `mine\n${BASE}mine\n`, `theirs\n${BASE}theirs\n`],
])("%s: what git makes of it", (_, mine, theirs) => {
  expect(mergeText(BASE, mine, theirs, LABELS).text).toBe(mergedByGit(BASE, mine, theirs));
});

it("is understood by git as a conflict", () => {
  const { text } = mergeText("a\n", "b\n", "c\n", LABELS);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, encoding: "utf8" });
  git("init", "--quiet");
  writeFileSync(join(folder, "file"), text);
  git("add", "file");
  const check = spawnSync("git", ["diff", "--cached", "--check"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(check.stdout.match(/leftover conflict marker/g)).toHaveLength(3);
});
