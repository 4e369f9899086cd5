import { describe, expect, it } from "vitest";

import { commit } from "../../../src/apply/commit.ts";
import { readUndo } from "../../../src/apply/undo.ts";
import { change } from "../../support/changes.ts";
import { FakeProcesses } from "../../support/fake-processes.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";

const ROOT = "/service";

const CHANGES = [
  change("changed", { text: "old\r\n", mode: 0o755 }, { text: "new\n", mode: 0o755 }),
  change("folder/deleted", { text: "gone\n", mode: 0o600 }, null),
  change("made/here", null, { text: "made\n" }),
];

function diskBefore(): MemoryDisk {
  const disk = new MemoryDisk({
    [`${ROOT}/changed`]: "old\r\n",
    [`${ROOT}/folder/deleted`]: "gone\n",
  });
  disk.volume.chmodSync(`${ROOT}/changed`, 0o755);
  disk.volume.chmodSync(`${ROOT}/folder/deleted`, 0o600);
  return disk;
}

async function run(disk: MemoryDisk, command: string, changes = CHANGES, undoes = false) {
  const { signal } = new AbortController();
  const tools = { fs: disk, processes: new FakeProcesses(), signal };
  await commit(tools, { root: ROOT, command, changes, undoes });
}

async function undo(disk: MemoryDisk, keepEdited = false): Promise<string> {
  const { command, changes } = await readUndo(disk, ROOT, keepEdited);
  await run(disk, "undo", changes, true);
  return command;
}

describe("undo", () => {
  it("takes back the rest on request, and keeps what was edited since", async () => {
    const disk = diskBefore();
    await run(disk, "update");
    disk.volume.writeFileSync(`${ROOT}/changed`, "edited\n");
    const { kept } = await readUndo(disk, ROOT, true);
    expect(kept).toEqual(["changed"]);
    await undo(disk, true);
    expect(disk.text(`${ROOT}/changed`)).toBe("edited\n");
    expect(disk.text(`${ROOT}/folder/deleted`)).toBe("gone\n");
    expect(disk.volume.existsSync(`${ROOT}/made`)).toBe(false);
  });

  it("brings back bytes, modes, deleted files and the folders that were there", async () => {
    const disk = diskBefore();
    await run(disk, "add-integration kafka");
    expect(await undo(disk)).toBe("add-integration kafka");
    expect(disk.everything()).toEqual(diskBefore().everything());
    expect(disk.text(`${ROOT}/changed`)).toBe("old\r\n");
    expect(disk.volume.statSync(`${ROOT}/changed`).mode & 0o777).toBe(0o755);
    expect(disk.volume.statSync(`${ROOT}/folder/deleted`).mode & 0o777).toBe(0o600);
  });

  it("says that there is nothing to undo, before any command and the second time", async () => {
    const disk = diskBefore();
    await expect(undo(disk)).rejects.toMatchObject({ code: "NOTHING_TO_UNDO" });
    await run(disk, "update");
    await undo(disk);
    await expect(undo(disk)).rejects.toMatchObject({ code: "NOTHING_TO_UNDO" });
  });

  it("goes back over the last command only", async () => {
    const disk = diskBefore();
    await run(disk, "first");
    await run(disk, "second", [change("changed", { text: "new\n", mode: 0o755 }, null)]);
    expect(await undo(disk)).toBe("second");
    expect(disk.text(`${ROOT}/changed`)).toBe("new\n");
  });

  it.each([
    ["edited", "changed"],
    ["edited", "made/here"],
    ["made again", "folder/deleted"],
  ])("refuses what was %s since: %s", async (_, path) => {
    const disk = diskBefore();
    await run(disk, "update");
    disk.volume.mkdirSync(`${ROOT}/folder`, { recursive: true });
    disk.volume.writeFileSync(`${ROOT}/${path}`, "mine\n");
    const before = disk.everything();
    await expect(undo(disk)).rejects.toMatchObject({
      code: "EDITED_SINCE",
      message: expect.stringContaining(`update\`, so nothing was undone:\n  ${path}`),
    });
    expect(disk.everything()).toEqual(before);
    expect(disk.text(`${ROOT}/${path}`)).toBe("mine\n");
  });

  it("says which of the old files is missing, and undoes nothing", async () => {
    const disk = diskBefore();
    await run(disk, "update");
    disk.volume.unlinkSync(`${ROOT}/.fetch-service/undo/0.old`);
    const before = disk.everything();
    await expect(undo(disk)).rejects.toMatchObject({
      code: "CANNOT_READ",
      message: expect.stringContaining("0.old is missing, so changed cannot be brought back"),
    });
    expect(disk.everything()).toEqual(before);
  });

  it("refuses a journal that was tampered with", async () => {
    const disk = diskBefore();
    await run(disk, "update");
    const journal = `${ROOT}/.fetch-service/undo/journal`;
    disk.volume.writeFileSync(journal, disk.text(journal).replace("made/here", "../made/here"));
    await expect(undo(disk)).rejects.toThrow("is damaged");
    disk.volume.writeFileSync(journal, "{");
    await expect(undo(disk)).rejects.toThrow("is damaged");
  });
});
