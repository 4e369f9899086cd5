import { basename, join } from "node:path";

import { systemCode, UserError } from "../errors.ts";
import type { FileSystem, Processes } from "../ports.ts";
import { WORK_FOLDER } from "./journal.ts";
import { refuseUnsafe } from "./safe-path.ts";

const IGNORE = ".gitignore";
const PREFIX = "lock-";
const PAUSE = 50;
const TRIES = 40;

// What `makeUniqueFolder` adds are six characters.
const ENTRY = /^lock-(.+)-(\d+)-.{6}$/;

/**
 * Makes this run the only one that changes the service, and returns what lets the next one in.
 *
 * Every run makes an entry of its own and goes on if it sees no other: of two runs, the one whose
 * entry is made last sees the other's. An entry of a process that is gone is nobody's, and as no
 * name comes twice, removing it can never remove the entry of a run that has just begun.
 */
export async function lock(
  fs: FileSystem,
  processes: Processes,
  root: string,
): Promise<() => Promise<void>> {
  const folder = join(root, WORK_FOLDER);
  await refuseUnsafe(fs, root, `${WORK_FOLDER}/${IGNORE}`);
  let own: string | undefined;
  for (let tries = 0; ; tries += 1) {
    own ??= await makeEntry(fs, processes, root);
    const other = await otherHolder(fs, processes, folder, own);
    if (other === undefined) {
      await fs.writeFile(join(folder, IGNORE), Buffer.from("*\n"), 0o644);
      await fs.copyOwner(root, join(folder, IGNORE));
      const entry = own;
      return () => release(fs, folder, entry);
    }
    // Of two that see each other, the earlier name waits and the later one starts over.
    if (tries === TRIES || other < basename(own)) {
      await fs.remove(own);
      own = undefined;
    }
    if (tries === TRIES) {
      throw busy(other, processes);
    }
    await processes.pause(PAUSE);
  }
}

async function makeEntry(fs: FileSystem, processes: Processes, root: string): Promise<string> {
  const folder = join(root, WORK_FOLDER);
  const prefix = join(folder, `${PREFIX}${processes.machine}-${processes.pid}-`);
  for (;;) {
    await fs.makeFolder(folder);
    try {
      await fs.copyOwner(root, folder);
      return await fs.makeUniqueFolder(prefix);
    } catch (error) {
      // Another run, which left nothing behind, has just removed the folder.
      if (systemCode(error) !== "ENOENT") {
        throw error;
      }
    }
  }
}

async function otherHolder(
  fs: FileSystem,
  processes: Processes,
  folder: string,
  own: string,
): Promise<string | undefined> {
  for (const name of (await fs.namesIn(folder)).sort()) {
    const [, machine, pid] = ENTRY.exec(name) ?? [];
    if (machine === undefined || name === basename(own)) {
      continue;
    }
    const gone =
      machine === processes.machine &&
      (Number(pid) === processes.pid || !processes.isRunning(Number(pid)));
    if (!gone) {
      return name;
    }
    await fs.remove(join(folder, name));
  }
  return undefined;
}

function busy(holder: string, processes: Processes): UserError {
  const [, machine, pid] = ENTRY.exec(holder) ?? [];
  const where = machine === processes.machine ? "" : ` on the machine ${machine}`;
  return new UserError(
    "BUSY",
    `another create-fetch-service is running here: process ${pid}${where}`,
    `wait for it; if it is gone, remove ${WORK_FOLDER}/${holder}`,
  );
}

/** Lets the next run in, and leaves nothing behind where nothing was kept. */
async function release(fs: FileSystem, folder: string, entry: string): Promise<void> {
  const kept = (await fs.namesIn(folder)).some(
    (name) => name !== IGNORE && name !== basename(entry),
  );
  if (!kept) {
    await fs.remove(join(folder, IGNORE));
  }
  await fs.remove(entry);
  await fs.removeEmptyFolder(folder);
}
