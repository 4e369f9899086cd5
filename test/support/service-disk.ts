import type { DiskFile } from "../../src/plan/plan.ts";
import { render } from "../../src/plan/render.ts";
import { type FakeRun, runFake } from "./fake-host.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { answersWith, templatesWithFixture } from "./templates.ts";

export const ROOT = "/home/demo-service";

/** A service's files on a disk in memory. */
export function diskOf(files: ReadonlyMap<string, DiskFile>): MemoryDisk {
  const disk = new MemoryDisk();
  for (const [path, { bytes, mode }] of files) {
    const target = `${ROOT}/${path}`;
    disk.volume.mkdirSync(target.replace(/\/[^/]+$/, ""), { recursive: true });
    disk.volume.writeFileSync(target, Buffer.from(bytes));
    disk.volume.chmodSync(target, mode);
  }
  return disk;
}

/** A service on a disk in memory, with these edits made to it. */
export function serviceDisk(
  integrations: string[] = [],
  edits: Record<string, string> = {},
): MemoryDisk {
  const tree = render(templatesWithFixture, answersWith({ integrations }));
  const disk = diskOf(tree);
  for (const [path, text] of Object.entries(edits)) {
    disk.volume.writeFileSync(`${ROOT}/${path}`, text);
    disk.volume.chmodSync(`${ROOT}/${path}`, 0o644);
  }
  return disk;
}

export type Given = Parameters<typeof runFake>[1];

/** Runs a command line in the service's folder. */
export async function run(args: string[], given: Given = {}): Promise<FakeRun> {
  return await runFake(args, {
    cwd: ROOT,
    templates: async () => templatesWithFixture,
    disk: serviceDisk(),
    ...given,
  });
}

/** The service's files with their modes, without what the commands keep for themselves. */
export function filesOf(disk: MemoryDisk): Record<string, string> {
  const paths = disk.everything().filter((path) => !/\/$|\/\.fetch-service\//.test(path));
  return Object.fromEntries(
    paths.map((path) => {
      const mode = disk.volume.statSync(path).mode & 0o777;
      return [path, `${mode.toString(8)} ${disk.text(path)}`];
    }),
  );
}
