import { describe, expect, it } from "vitest";

import { lock } from "../../../src/apply/lock.ts";
import { FakeProcesses } from "../../support/fake-processes.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";

const ROOT = "/service";
const WORK = `${ROOT}/.fetch-service`;

const emptyDisk = () => new MemoryDisk({ [`${ROOT}/file`]: "" });

describe("the lock", () => {
  it("leaves nothing behind", async () => {
    const disk = emptyDisk();
    const release = await lock(disk, new FakeProcesses(), ROOT);
    expect(disk.text(`${WORK}/.gitignore`)).toBe("*\n");
    await release();
    expect(disk.everything()).toEqual(emptyDisk().everything());
  });

  it("keeps a second run out for as long as the first is at work", async () => {
    const disk = emptyDisk();
    const release = await lock(disk, new FakeProcesses({ pid: 1 }), ROOT);
    const second = new FakeProcesses({ pid: 2, running: [1] });
    await expect(lock(disk, second, ROOT)).rejects.toMatchObject({
      code: "BUSY",
      message: "another create-fetch-service is running here: process 1",
      hint: expect.stringContaining(".fetch-service/lock-desk-1-"),
    });
    expect(second.pauses).toBeGreaterThan(10);
    await release();
    await expect(lock(disk, second, ROOT)).resolves.toBeTypeOf("function");
  });

  it("waits a little for a run that is nearly done", async () => {
    const disk = emptyDisk();
    const release = await lock(disk, new FakeProcesses({ pid: 1 }), ROOT);
    const second = new FakeProcesses({ pid: 2, running: [1] });
    second.onPause = release;
    await expect(lock(disk, second, ROOT)).resolves.toBeTypeOf("function");
  });

  it("of a dead process is taken over", async () => {
    const disk = emptyDisk();
    await lock(disk, new FakeProcesses({ pid: 1 }), ROOT);
    await lock(disk, new FakeProcesses({ pid: 2 }), ROOT);
    const names = disk.volume.readdirSync(WORK).map(String);
    expect(names.filter((name) => name.startsWith("lock-desk-1"))).toEqual([]);
  });

  it("of another machine stays, and says where it is", async () => {
    const disk = emptyDisk();
    disk.volume.mkdirSync(`${WORK}/lock-other-host-7-abcdef`, { recursive: true });
    await expect(lock(disk, new FakeProcesses(), ROOT)).rejects.toMatchObject({
      message: expect.stringContaining("process 7 on the machine other-host"),
    });
    expect(disk.everything()).toContain(`${WORK}/lock-other-host-7-abcdef/`);
  });

  it("is given to one of two at the most, however their steps interleave", async () => {
    // Each disk operation of one may come before or after any of the other's.
    for (let turns = 0; turns < 256; turns += 1) {
      const disk = emptyDisk();
      let holders = 0;
      const both = [1, 2].map(async (pid) => {
        const processes = new FakeProcesses({ pid, running: [1, 2] });
        await lock(delayed(disk, pid, turns), processes, ROOT).then(
          () => (holders += 1),
          () => undefined,
        );
      });
      await Promise.all(both);
      expect(holders, `turns ${turns.toString(2)}`).toBeLessThanOrEqual(1);
    }
  });
});

/** A disk of which each operation comes later for one of the two, as the bits of `turns` say. */
function delayed(disk: MemoryDisk, pid: number, turns: number): MemoryDisk {
  let step = 0;
  return new Proxy(disk, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") {
        return member;
      }
      return async (...args: unknown[]) => {
        const first = ((turns >> (step++ % 8)) & 1) === pid - 1;
        for (let tick = 0; tick < (first ? 0 : 8); tick += 1) {
          await Promise.resolve();
        }
        return await Reflect.apply(member, target, args);
      };
    },
  });
}
