import { describe, expect, it } from "vitest";

import { readService } from "../../../src/apply/read-service.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";

const ROOT = "/service";
const none = new Set<string>();

/** A disk on which this look at this path fails. */
function failingDisk(look: "kindOf" | "namesIn" | "readFile", path: string, code: string) {
  const disk = new MemoryDisk({
    [`${ROOT}/src/a.ts`]: "a",
    [`${ROOT}/pgdata/base/1`]: "x",
    [`${ROOT}/pgdata/conf`]: "x",
  });
  const whole = disk[look].bind(disk) as (target: string) => Promise<never>;
  disk[look] = async (target: string) => {
    if (target === `${ROOT}/${path}`) {
      throw Object.assign(new Error(code), { code });
    }
    return await whole(target);
  };
  return disk;
}

describe("reading a service", () => {
  it("finds every file that somebody may have written, with its mode", async () => {
    const disk = new MemoryDisk({
      [`${ROOT}/src/a.ts`]: "a",
      [`${ROOT}/.env`]: "b",
      [`${ROOT}/node_modules/x/index.js`]: "x",
      [`${ROOT}/.git/config`]: "x",
      [`${ROOT}/.fetch-service/undo/journal`]: "x",
      [`${ROOT}/dist/main.js`]: "x",
      [`${ROOT}/data/large`]: "x".repeat(1_000_001),
    });
    disk.volume.chmodSync(`${ROOT}/src/a.ts`, 0o755);
    const { files, obstacles } = await readService(disk, ROOT, none);
    expect([...files.keys()].sort()).toEqual([".env", "src/a.ts"]);
    expect(files.get("src/a.ts")).toEqual({ bytes: Buffer.from("a"), mode: 0o755 });
    expect(obstacles).toEqual(new Map());
  });

  it("finds what the template wants, wherever it is and however large", async () => {
    const disk = new MemoryDisk({
      [`${ROOT}/.github/workflows/ci.yml`]: "ci",
      [`${ROOT}/.github/.other/x`]: "x",
      [`${ROOT}/large`]: "x".repeat(1_000_001),
    });
    const { files } = await readService(disk, ROOT, new Set([".github/workflows/ci.yml", "large"]));
    expect([...files.keys()].sort()).toEqual([".github/workflows/ci.yml", "large"]);
  });

  it.each([
    ["namesIn", "pgdata", "EACCES"],
    ["kindOf", "pgdata", "EPERM"],
    ["readFile", "pgdata/conf", "EACCES"],
    ["namesIn", "pgdata", "ENOENT"],
    ["readFile", "pgdata/conf", "ENOENT"],
  ] as const)("leaves out what cannot be read: %s of %s with %s", async (look, path, code) => {
    const disk = failingDisk(look, path, code);
    const { files } = await readService(disk, ROOT, new Set(["src/a.ts"]));
    expect([...files.keys()]).toContain("src/a.ts");
    expect([...files.keys()]).not.toContain("pgdata/conf");
  });

  it("leaves out a wanted file that goes while it looks", async () => {
    const { files } = await readService(
      failingDisk("readFile", "src/a.ts", "ENOENT"),
      ROOT,
      new Set(["src/a.ts"]),
    );
    expect(files.has("src/a.ts")).toBe(false);
  });

  it.each([
    ["readFile", "src/a.ts", "EACCES"],
    ["namesIn", "src", "EACCES"],
    ["readFile", "pgdata/conf", "EIO"],
  ] as const)("says what it has to read and cannot: %s of %s with %s", async (look, path, code) => {
    const reading = readService(failingDisk(look, path, code), ROOT, new Set(["src/a.ts"]));
    await expect(reading).rejects.toMatchObject({
      code: "CANNOT_READ",
      message: expect.stringContaining(`cannot read ${path}: `),
      hint: expect.stringContaining("and run the command again"),
    });
  });

  it("tells what is in the way, and follows no link", async () => {
    const disk = new MemoryDisk({ [`${ROOT}/README.md/x`]: "x", "/elsewhere/secret": "x" });
    disk.volume.symlinkSync("/elsewhere", `${ROOT}/src`);
    disk.volume.symlinkSync("/nowhere", `${ROOT}/Dockerfile`);
    const { files, obstacles } = await readService(
      disk,
      ROOT,
      new Set(["README.md", "Dockerfile"]),
    );
    expect([...files.keys()]).toEqual(["README.md/x"]);
    expect(obstacles).toEqual(
      new Map([
        ["Dockerfile", "link"],
        ["README.md", "folder"],
        ["src", "link"],
      ]),
    );
  });
});
