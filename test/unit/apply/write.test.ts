import { describe, expect, it } from "vitest";

import { findTarget } from "../../../src/apply/target.ts";
import { writeTree } from "../../../src/apply/write.ts";
import { render } from "../../../src/plan/render.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";
import { answersWith, templates } from "../../support/templates.ts";

const tree = render(templates, answersWith());
const before = { "/home/other/file": "mine" };
const { signal } = new AbortController();

async function write(disk: MemoryDisk, directory = "demo-service"): Promise<void> {
  const target = await findTarget(disk, "/home", directory);
  await writeTree(disk, target, tree, signal);
}

describe("writing a tree", () => {
  it("writes every file with its bytes and mode", async () => {
    const disk = new MemoryDisk(before);
    await write(disk);
    for (const [path, { bytes, mode }] of tree) {
      expect(await disk.readFile(`/home/demo-service/${path}`)).toEqual(Buffer.from(bytes));
      expect(await disk.isExecutable(`/home/demo-service/${path}`)).toBe(mode === 0o755);
    }
  });

  it("makes no file appear before the last of them is written", async () => {
    const disk = new MemoryDisk(before);
    const seen: string[] = [];
    const rename = disk.rename.bind(disk);
    disk.rename = async (from, to) => {
      seen.push(...disk.everything().filter((path) => path.startsWith("/home/demo-service")));
      await rename(from, to);
    };
    await write(disk);
    expect(seen).toEqual([]);
  });

  it("takes an empty folder's place", async () => {
    const disk = new MemoryDisk({ ...before, "/home/demo-service": null });
    await write(disk);
    expect(disk.everything()).toContain("/home/demo-service/package.json");
  });
});

describe("a disk that fails at one operation", () => {
  it.each(["ENOSPC", "EROFS", "EACCES", "EIO"])(
    "leaves nothing, whichever it is: %s",
    async (code) => {
      const whole = new MemoryDisk(before);
      await write(whole);
      const untouched = new MemoryDisk(before).everything();
      for (let at = 1; at <= whole.operations; at += 1) {
        const disk = new MemoryDisk(before, { at, code });
        const outcome = await write(disk).then(
          () => "written",
          () => "failed",
        );
        const expected = outcome === "written" ? whole.everything() : untouched;
        expect(disk.everything(), `operation ${at}, ${outcome}`).toEqual(expected);
      }
    },
  );

  it.each([
    ["ENOSPC", "the disk is full"],
    ["EROFS", "that disk is read-only"],
    ["EACCES", "you may not write there"],
    ["ENAMETOOLONG", "the path is too long"],
    ["ENOTEMPTY", "something appeared there in the meantime"],
  ])("is explained: %s", async (code, words) => {
    const disk = new MemoryDisk(before, { at: 6, code });
    await expect(write(disk)).rejects.toMatchObject({
      code: "CANNOT_WRITE",
      message: `cannot write /home/demo-service: ${words}`,
      hint: expect.any(String),
    });
  });
});

describe("an interruption", () => {
  it("at any file leaves nothing", async () => {
    const disk = new MemoryDisk(before);
    const controller = new AbortController();
    const writeFile = disk.writeFile.bind(disk);
    disk.writeFile = async (...args) => {
      controller.abort(new Error("stopped"));
      await writeFile(...args);
    };
    const target = await findTarget(disk, "/home", "demo-service");
    await expect(writeTree(disk, target, tree, controller.signal)).rejects.toThrow("stopped");
    expect(disk.everything()).toEqual(new MemoryDisk(before).everything());
  });
});
