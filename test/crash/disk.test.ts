import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { InstalledCli, snapshotOf } from "./installed-cli.ts";

const INTEGRATION = "kafka";

const small = mkdtempSync(join(tmpdir(), "small-disk-"));
const mount = (...options: string[]) =>
  spawnSync("mount", ["-t", "tmpfs", ...options, "tmpfs", small]).status === 0;
const mounted = mount("-o", "size=8m");
if (!mounted && process.env["CI"]) {
  throw new Error("CI has to have the right to mount a small disk");
}

let cli: InstalledCli;

beforeAll(() => {
  cli = new InstalledCli();
  if (!mounted) {
    console.warn("No small disk can be mounted here, so a full and a read-only one go untested.");
  }
});

afterAll(() => {
  cli?.remove();
  if (mounted) {
    spawnSync("umount", [small]);
  }
  rmSync(small, { recursive: true });
});

function add(service: string) {
  return cli.run(service, "add-integration", INTEGRATION, "--no-install");
}

describe.skipIf(!mounted)("a disk of its own", () => {
  it("that gets full at any point is named, and the service is as it was", () => {
    const service = cli.create("service", "none", small);
    const before = snapshotOf(service);
    const block = statfsSync(small).bsize;
    let failures = 0;
    // With ever more room, until it is enough.
    for (let free = 0; ; free += 2) {
      const filler = join(small, "filler");
      writeFileSync(filler, "");
      const { bavail } = statfsSync(small);
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail - free) * block));
      const { code, output } = add(service);
      rmSync(filler);
      if (code === 0) {
        break;
      }
      failures += 1;
      expect(output).toMatch(/cannot write .*: the disk is full; nothing was changed/);
      expect(output).toContain("hint: free some space, and run the command again");
      expect(snapshotOf(service)).toEqual(before);
    }
    expect(failures).toBeGreaterThan(5);
    expect(cli.run(service, "undo", "--no-install").code).toBe(0);
    expect(snapshotOf(service)).toEqual(before);
    rmSync(service, { recursive: true });
  });

  it("that is read-only is named", () => {
    const service = cli.create("read-only", "none", small);
    const before = snapshotOf(service);
    spawnSync("mount", ["-o", "remount,ro", small]);
    const { code, output } = add(service);
    const reading = cli.run(service, "status", "--check");
    spawnSync("mount", ["-o", "remount,rw", small]);
    expect(code).toBe(1);
    expect(output).toMatch(/cannot write .*: that disk is read-only; nothing was changed/);
    expect(reading.code).toBe(0);
    expect(snapshotOf(service)).toEqual(before);
  });
});

describe("on any disk", () => {
  it.each(["package.json", "src/integrations", "."])("a read-only %s is named", (path) => {
    const service = cli.create("locked", "none");
    chmodSync(join(service, path), path === "package.json" ? 0o444 : 0o555);
    const before = snapshotOf(service);
    const { code, output } = add(service);
    expect(code).toBe(1);
    expect(output).toMatch(/cannot write .* read-only/);
    expect(output).toContain("chmod u+w");
    expect(snapshotOf(service)).toEqual(before);
    chmodSync(join(service, path), 0o755);
    rmSync(service, { recursive: true });
  });
});
