import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, expect, it } from "vitest";

import { disk } from "../../../src/system/disk.ts";

const folder = mkdtempSync(join(tmpdir(), "disk-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("makes a folder with those above it, also when it is there", async () => {
  const path = join(folder, "a/b/c");
  await disk.makeFolder(path);
  await disk.makeFolder(path);
  expect(statSync(path).isDirectory()).toBe(true);
});

it("says why a folder cannot be made", async () => {
  writeFileSync(join(folder, "file"), "");
  symlinkSync("loop", join(folder, "loop"));
  await expect(disk.makeFolder(join(folder, "file"))).rejects.toThrow("EEXIST");
  await expect(disk.makeFolder(join(folder, "file/a"))).rejects.toThrow("ENOTDIR");
  await expect(disk.makeFolder(join(folder, "loop/a"))).rejects.toThrow("ELOOP");
});

it.runIf(process.platform === "linux")("gives up where nobody makes folders", async () => {
  await expect(disk.makeFolder("/proc/nobody/a/b")).rejects.toThrow("ENOENT");
});
