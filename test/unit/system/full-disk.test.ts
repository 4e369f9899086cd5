import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { findTarget } from "../../../src/apply/target.ts";
import { writeTree } from "../../../src/apply/write.ts";
import { render } from "../../../src/plan/render.ts";
import { disk } from "../../../src/system/disk.ts";
import { answersWith, templates } from "../../support/templates.ts";

const small = mkdtempSync(join(tmpdir(), "small-disk-"));
const mount = (...options: string[]) =>
  spawnSync("mount", ["-t", "tmpfs", ...options, "tmpfs", small]).status === 0;

// Only root may mount; elsewhere, but for CI, the failing disk in memory is the test.
const mounted = mount("-o", "size=64k");
if (!mounted && process.env["CI"]) {
  throw new Error("CI has to have the right to mount a small disk");
}

afterAll(() => {
  if (mounted) {
    spawnSync("umount", [small]);
  }
  rmSync(small, { recursive: true });
});

async function create(): Promise<void> {
  const target = await findTarget(disk, small, "demo-service");
  const { signal } = new AbortController();
  await writeTree(disk, target, render(templates, answersWith()), signal);
}

describe.skipIf(!mounted)("a real disk", () => {
  it("that gets full is named, and left as it was", async () => {
    writeFileSync(join(small, "mine"), "");
    await expect(create()).rejects.toThrow("the disk is full");
    expect(readdirSync(small)).toEqual(["mine"]);
  });

  it("that is read-only is named, and left as it was", async () => {
    spawnSync("mount", ["-o", "remount,ro", small]);
    await expect(create()).rejects.toThrow("that disk is read-only");
    expect(readdirSync(small)).toEqual(["mine"]);
  });
});
