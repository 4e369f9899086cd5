import { isDeepStrictEqual } from "node:util";

import { describe, expect, it } from "vitest";

import { type Commit, commit } from "../../../src/apply/commit.ts";
import { recover } from "../../../src/apply/recover.ts";
import type { UserError } from "../../../src/errors.ts";
import { change } from "../../support/changes.ts";
import { FakeProcesses } from "../../support/fake-processes.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";

const ROOT = "/home/service";

const BEFORE = {
  [`${ROOT}/README.md`]: "# Service\r\n",
  [`${ROOT}/package.json`]: "{}\n",
  [`${ROOT}/src/old/gone.ts`]: "old\n",
  [`${ROOT}/src/mine.ts`]: "mine\n",
};

const CHANGES = [
  change("README.md", { text: "# Service\r\n" }, { text: "# Service\r\nmore\r\n" }),
  change("package.json", { text: "{}\n" }, { text: '{"a":1}\n', mode: 0o600 }),
  change("src/new/deep/index.ts", null, { text: "new\n" }),
  change("src/old/gone.ts", { text: "old\n" }, null),
];

const OLD = BEFORE;
const NEW = {
  [`${ROOT}/README.md`]: "# Service\r\nmore\r\n",
  [`${ROOT}/package.json`]: '{"a":1}\n',
  [`${ROOT}/src/new/deep/index.ts`]: "new\n",
  [`${ROOT}/src/mine.ts`]: "mine\n",
};

function diskWith(...[files = BEFORE, failure]: ConstructorParameters<typeof MemoryDisk>) {
  const disk = new MemoryDisk(files, failure);
  // What the disk in memory makes of its own accord is 0o666.
  for (const path of Object.keys(files)) {
    disk.volume.chmodSync(path, 0o644);
  }
  return disk;
}

/** The service's files, without what the commits keep for themselves. */
function filesOf(disk: MemoryDisk): Record<string, string> {
  const paths = disk.everything().filter((path) => !path.includes("/.fetch-service"));
  return Object.fromEntries(
    paths.filter((path) => !path.endsWith("/")).map((path) => [path, disk.text(path)]),
  );
}

/** The same with the modes. */
function stateOf(disk: MemoryDisk): Record<string, string> {
  return Object.fromEntries(
    Object.entries(filesOf(disk)).map(([path, text]) => {
      const mode = disk.volume.statSync(path).mode & 0o777;
      return [path, `${mode.toString(8)} ${text}`];
    }),
  );
}

const processes = new FakeProcesses();
const tools = (disk: MemoryDisk, signal = new AbortController().signal) => ({
  fs: disk,
  processes,
  signal,
});
const request = (changes = CHANGES): Commit => ({
  root: ROOT,
  command: "add-integration x",
  changes,
});

/** What the test is about is the disk, whatever the commit says. */
async function attempt(work: Promise<unknown>): Promise<UserError | undefined> {
  return await work.then(
    () => undefined,
    (error: UserError) => error,
  );
}

describe("a commit", () => {
  it("creates, changes and deletes, and leaves no empty folder", async () => {
    const disk = diskWith();
    await commit(tools(disk), request());
    expect(filesOf(disk)).toEqual(NEW);
    expect(disk.everything()).not.toContain(`${ROOT}/src/old/`);
    expect(disk.volume.statSync(`${ROOT}/package.json`).mode & 0o777).toBe(0o600);
  });

  it("keeps its own files where git does not see them", async () => {
    const disk = diskWith();
    await commit(tools(disk), request());
    expect(disk.text(`${ROOT}/.fetch-service/.gitignore`)).toBe("*\n");
    const kept = disk.volume.readdirSync(`${ROOT}/.fetch-service`);
    expect(kept).toEqual([".gitignore", "undo"]);
  });

  it("refuses a file that is not as the plan saw it, and changes nothing", async () => {
    for (const path of ["README.md", "src/new/deep/index.ts", "src/old/gone.ts"]) {
      const disk = diskWith({ ...BEFORE, [`${ROOT}/${path}`]: "typed meanwhile\n" });
      const error = await attempt(commit(tools(disk), request()));
      expect(error).toMatchObject({ code: "CHANGED_MEANWHILE" });
      expect(error?.message).toContain(path);
      expect(filesOf(disk)).toEqual({ ...BEFORE, [`${ROOT}/${path}`]: "typed meanwhile\n" });
      expect(disk.everything()).not.toContain(`${ROOT}/.fetch-service/`);
    }
  });

  it("sees an edit that is saved while it stages", async () => {
    const disk = diskWith();
    const sync = disk.syncFolder.bind(disk);
    disk.syncFolder = async () => {
      disk.volume.writeFileSync(`${ROOT}/README.md`, "saved\n");
      await sync();
    };
    const error = await attempt(commit(tools(disk), request()));
    expect(error).toMatchObject({ code: "CHANGED_MEANWHILE" });
    expect(filesOf(disk)).toEqual({ ...OLD, [`${ROOT}/README.md`]: "saved\n" });
  });

  it.each([
    ["../outside", "not an allowed path"],
    ["src/../../outside", "not an allowed path"],
    ["/etc/passwd", "not an allowed path"],
    [".git/hooks/pre-commit", "not an allowed path"],
  ])("writes nothing to %s", async (path, words) => {
    const disk = diskWith();
    const error = await attempt(commit(tools(disk), request([change(path, null, { text: "x" })])));
    expect(error?.message).toContain(words);
    expect(filesOf(disk)).toEqual(OLD);
  });

  it.each(["src", "src/new", "README.md", ".fetch-service"])(
    "writes nothing through the link %s",
    async (link) => {
      const disk = diskWith({ "/elsewhere/README.md": "theirs\n" });
      disk.volume.mkdirSync(`${ROOT}/src`, { recursive: true });
      disk.volume.rmSync(`${ROOT}/${link}`, { recursive: true, force: true });
      disk.volume.symlinkSync(
        link === "README.md" ? "/elsewhere/README.md" : "/elsewhere",
        `${ROOT}/${link}`,
      );
      const changes = [
        change("src/new/index.ts", null, { text: "new\n" }),
        change("README.md", null, { text: "new\n" }),
      ];
      const error = await attempt(commit(tools(disk), request(changes)));
      expect(error?.message).toContain("is a link");
      expect(disk.volume.readdirSync("/elsewhere")).toEqual(["README.md"]);
      expect(disk.text("/elsewhere/README.md")).toBe("theirs\n");
    },
  );

  it.each(["README.md", "src"])(
    "refuses a read-only %s before it changes anything",
    async (path) => {
      const disk = diskWith();
      disk.volume.chmodSync(`${ROOT}/${path}`, path === "src" ? 0o555 : 0o444);
      const error = await attempt(commit(tools(disk), request()));
      expect(error).toMatchObject({ code: "CANNOT_WRITE", hint: expect.stringContaining("chmod") });
      expect(filesOf(disk)).toEqual(OLD);
    },
  );

  it("that is interrupted while it stages leaves nothing", async () => {
    const disk = diskWith();
    const controller = new AbortController();
    const write = disk.writeDurably.bind(disk);
    disk.writeDurably = async (...args) => {
      controller.abort(new Error("stopped"));
      await write(...args);
    };
    await expect(commit(tools(disk, controller.signal), request())).rejects.toThrow("stopped");
    expect(disk.everything()).toEqual(diskWith().everything());
  });
});

/** How many operations a commit takes, and which of them decides. */
async function measure(undoes: boolean) {
  const disk = diskWith();
  let decidedAt = 0;
  const rename = disk.rename.bind(disk);
  disk.rename = async (from, to) => {
    await rename(from, to);
    decidedAt ||= disk.operations;
  };
  await commit(tools(disk), { ...request(), undoes });
  expect(filesOf(disk)).toEqual(NEW);
  return { operations: disk.operations, decision: decidedAt, after: stateOf(disk) };
}

const KINDS = [
  { what: "makes changes", undoes: false, ...(await measure(false)) },
  { what: "takes the last one back", undoes: true, ...(await measure(true)) },
];

describe.each(KINDS)("while a commit $what", ({ undoes, operations, decision, after }) => {
  const before = stateOf(diskWith());
  const wish = () => ({ ...request(), undoes });

  describe("a disk that fails at operation k", () => {
    it.each(["ENOSPC", "EROFS", "EACCES", "EIO", "EXDEV"])(
      "leaves the service as it was, or is not noticed: %s at every k",
      async (code) => {
        for (let at = 1; at <= operations; at += 1) {
          const disk = diskWith(BEFORE, { at, code });
          const error = await attempt(commit(tools(disk), wish()));
          expect(stateOf(disk), `operation ${at}: ${error?.message}`).toEqual(
            error ? before : after,
          );
          expect(error?.message ?? "cannot write", `operation ${at}`).toContain("cannot write");
        }
      },
    );
  });

  describe("a process that dies at operation k", () => {
    it("leaves what the next run makes wholly old or wholly new, at every k", async () => {
      const outcomes = new Set<string>();
      for (let k = 1; k <= operations; k += 1) {
        const disk = diskWith(BEFORE, { at: 0, code: "EIO", diesAt: k });
        await attempt(commit(tools(disk), wish()));
        disk.restart();
        const recovery = await recover(disk, new FakeProcesses({ pid: 101 }), ROOT);
        outcomes.add(recovery?.outcome ?? "nothing to do");
        const files = stateOf(disk);
        expect([before, after], `operation ${k}`).toContainEqual(files);
        // The one after it has nothing to do, and the service can be changed as ever.
        expect(await recover(disk, processes, ROOT)).toBeUndefined();
        if (isDeepStrictEqual(files, before)) {
          await commit(tools(disk), wish());
        }
        expect(stateOf(disk), `operation ${k}`).toEqual(after);
      }
      expect([...outcomes]).toEqual(["nothing to do", "finished"]);
    });

    it("while it takes back what the disk refused does so too, at every k", async () => {
      const outcomes = new Set<string>();
      for (let at = decision; at <= operations; at += 1) {
        for (let diesAt = at + 1; diesAt <= at + 30; diesAt += 3) {
          const disk = diskWith(BEFORE, { at, code: "EIO", diesAt });
          await attempt(commit(tools(disk), wish()));
          disk.restart();
          outcomes.add((await recover(disk, processes, ROOT))?.outcome ?? "nothing to do");
          expect([before, after], `operations ${at} and ${diesAt}`).toContainEqual(stateOf(disk));
        }
      }
      expect([...outcomes].sort()).toEqual(["finished", "nothing to do", "taken back"]);
    });

    it("and whose successor dies while it puts that right", async () => {
      for (let first = decision; first <= operations; first += 3) {
        for (let second = 1; second <= 40; second += 3) {
          const disk = diskWith(BEFORE, { at: 0, code: "EIO", diesAt: first });
          await attempt(commit(tools(disk), wish()));
          disk.restart({ at: 0, code: "EIO", diesAt: second });
          await attempt(recover(disk, processes, ROOT));
          disk.restart();
          await recover(disk, processes, ROOT);
          expect([before, after], `operations ${first} and ${second}`).toContainEqual(
            stateOf(disk),
          );
        }
      }
    });
  });
});

describe("edits between a crash and the next run", () => {
  it("of a file that was not reached take the commit back", async () => {
    const disk = await halfDone(1);
    disk.volume.writeFileSync(`${ROOT}/src/old/gone.ts`, "edited\n");
    const recovery = await recover(disk, processes, ROOT);
    expect(recovery).toMatchObject({ outcome: "taken back", kept: ["src/old/gone.ts"] });
    expect(filesOf(disk)).toEqual({ ...OLD, [`${ROOT}/src/old/gone.ts`]: "edited\n" });
  });

  it("of a file that was changed stand on top of the finished commit", async () => {
    const disk = await halfDone(2);
    disk.volume.writeFileSync(`${ROOT}/README.md`, "edited\n");
    const recovery = await recover(disk, processes, ROOT);
    expect(recovery).toMatchObject({ outcome: "finished", kept: ["README.md"] });
    expect(filesOf(disk)).toEqual({ ...NEW, [`${ROOT}/README.md`]: "edited\n" });
  });

  it("such as a git checkout of everything take the commit back", async () => {
    const disk = await halfDone(2);
    disk.volume.writeFileSync(`${ROOT}/README.md`, BEFORE[`${ROOT}/README.md`] ?? "");
    disk.volume.writeFileSync(`${ROOT}/package.json`, "{}\n");
    expect(await recover(disk, processes, ROOT)).toMatchObject({ outcome: "taken back", kept: [] });
    expect(filesOf(disk)).toEqual(OLD);
  });
});

/** A service of which a run died after as many renames into place. */
async function halfDone(renames: number): Promise<MemoryDisk> {
  const disk = diskWith();
  const rename = disk.rename.bind(disk);
  let left = renames + 1;
  disk.rename = async (from, to) => {
    if (left === 0) {
      throw Object.assign(new Error("EIO"), { code: "EIO" });
    }
    left -= 1;
    await rename(from, to);
  };
  await attempt(commit(tools(disk), request()));
  disk.rename = rename;
  return disk;
}
