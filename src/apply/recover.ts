import { join } from "node:path";

import { messageOf, UserError } from "../errors.ts";
import { blobId } from "../plan/blob-id.ts";
import type { FileSystem, Processes } from "../ports.ts";
import { explainDisk } from "./explain.ts";
import {
  damaged,
  type Journal,
  newFile,
  oldFile,
  type Phase,
  phaseFolder,
  readJournal,
  type Step,
  WORK_FOLDER,
} from "./journal.ts";
import { lock } from "./lock.ts";
import {
  foldersAbove,
  folderOf,
  refuseElsewhere,
  refuseUnsafe,
  removeEmptyFolders,
} from "./safe-path.ts";

/** What was found half-done, and what became of it. */
export interface Recovery {
  command: string;
  outcome: "finished" | "taken back";
  /** Files that were edited in between, and so stay as they are. */
  kept: string[];
  /** Why it had to be taken back. */
  failure?: { error: unknown };
}

/** Whether changes are being made, or taken back: by a run that is at work, or by one that died. */
export async function isBetweenStates(fs: FileSystem, root: string): Promise<boolean> {
  const phases = [phaseFolder(root, "commit"), phaseFolder(root, "rollback")];
  const kinds = await Promise.all(phases.map((folder) => fs.kindOf(folder)));
  return kinds.includes("folder");
}

/** Brings a service that a run left half-done to one of its two states. */
export async function recover(
  fs: FileSystem,
  processes: Processes,
  root: string,
): Promise<Recovery | undefined> {
  if (!(await isBetweenStates(fs, root))) {
    return undefined;
  }
  try {
    const release = await lock(fs, processes, root);
    try {
      return await recoverLocked(fs, root);
    } finally {
      await release().catch(() => undefined);
    }
  } catch (error) {
    throw explainDisk(error, {
      where: root,
      outcome: "; an earlier command was interrupted there and still has to be finished",
      advice: "and run the command again",
    });
  }
}

/** The same for a run that has the lock. */
export async function recoverLocked(fs: FileSystem, root: string): Promise<Recovery | undefined> {
  const decided = await readJournal(fs, root, "commit");
  if (decided) {
    await refuseForged(fs, root, "commit", decided);
    return (await canFinish(fs, root, decided))
      ? await complete(fs, root, decided)
      : await takeBackAll(fs, root, decided);
  }
  const refused = await readJournal(fs, root, "rollback");
  if (refused) {
    await refuseForged(fs, root, "rollback", refused);
  }
  return refused && (await rollBack(fs, root, refused));
}

/**
 * Looks at everything before anything moves: the folder may come from somebody who wants files moved
 * through a link, or a link, a pipe or a set-id program moved into place.
 */
async function refuseForged(
  fs: FileSystem,
  root: string,
  phase: Phase,
  { steps }: Journal,
): Promise<void> {
  for (const [index, { path }] of steps.entries()) {
    await refuseElsewhere(fs, root, path);
    for (const staged of [newFile(root, phase, index), oldFile(root, phase, index)]) {
      const kind = await fs.kindOf(staged);
      if (kind === "file") {
        await fs.setMode(staged, await fs.modeOf(staged));
      } else if (kind !== "nothing") {
        throw damaged(root, phase);
      }
    }
  }
}

/** Makes the changes that were decided on; when one cannot be made, takes all of them back. */
export async function complete(fs: FileSystem, root: string, journal: Journal): Promise<Recovery> {
  try {
    await fs.syncFolder(join(root, WORK_FOLDER));
    return await rollForward(fs, root, journal);
  } catch (error) {
    return { ...(await takeBackAll(fs, root, journal)), failure: { error } };
  }
}

async function takeBackAll(fs: FileSystem, root: string, journal: Journal): Promise<Recovery> {
  try {
    await fs.rename(phaseFolder(root, "commit"), phaseFolder(root, "rollback"));
    return await rollBack(fs, root, journal);
  } catch (error) {
    throw new UserError(
      "CANNOT_WRITE",
      `the service in ${root} is half-way between two states: ${messageOf(error)}`,
      "fix that; the next command first finishes or takes back what was begun",
    );
  }
}

/**
 * A commit is finished unless the user has in between edited a file that it had not come to, or
 * brought back one that it had: then taking it back loses nothing, and finishing it would.
 */
async function canFinish(fs: FileSystem, root: string, { steps }: Journal): Promise<boolean> {
  for (const [index, step] of steps.entries()) {
    const found = await idOnDisk(fs, join(root, step.path));
    const done = await isDone(fs, root, index, step);
    if (done ? found === idOf(step.before) : found !== idOf(step.before)) {
      if (idOf(step.before) !== idOf(step.after)) {
        return false;
      }
    }
  }
  return true;
}

async function isDone(fs: FileSystem, root: string, index: number, step: Step): Promise<boolean> {
  return step.after
    ? (await fs.kindOf(newFile(root, "commit", index))) === "nothing"
    : (await fs.kindOf(oldFile(root, "commit", index))) === "file";
}

/** Makes every change of a commit that is not made yet. */
async function rollForward(fs: FileSystem, root: string, journal: Journal): Promise<Recovery> {
  const kept: string[] = [];
  for (const [index, step] of journal.steps.entries()) {
    if (!(await isDone(fs, root, index, step))) {
      await refuseUnsafe(fs, root, step.path);
      await make(fs, root, index, step);
    } else if ((await idOnDisk(fs, join(root, step.path))) !== idOf(step.after)) {
      kept.push(step.path);
    }
  }
  await settle(fs, root, journal.steps);
  await finish(fs, root, journal);
  return { command: journal.command, outcome: "finished", kept };
}

async function make(fs: FileSystem, root: string, index: number, step: Step): Promise<void> {
  const target = join(root, step.path);
  if (step.after) {
    await makeFoldersAbove(fs, root, step.path);
    await fs.rename(newFile(root, "commit", index), target);
  } else {
    await fs.rename(target, oldFile(root, "commit", index));
  }
}

/** Keeps the journal and the old bytes for `undo`; in the place of those before. */
async function finish(fs: FileSystem, root: string, { undoes }: Journal): Promise<void> {
  const done = phaseFolder(root, "commit");
  await fs.remove(phaseFolder(root, "undo"));
  await fs.rename(done, phaseFolder(root, undoes ? "staging" : "undo"));
  if (undoes) {
    await cleanUp(fs, root);
  }
}

/** Not essential: the next commit removes what is left. */
async function cleanUp(fs: FileSystem, root: string): Promise<void> {
  await fs.remove(phaseFolder(root, "staging")).catch(() => undefined);
}

/** Takes back every change of a commit. */
async function rollBack(fs: FileSystem, root: string, journal: Journal): Promise<Recovery> {
  const kept: string[] = [];
  for (const [index, step] of [...journal.steps.entries()].toReversed()) {
    const found = await idOnDisk(fs, join(root, step.path));
    if (found === idOf(step.after)) {
      await takeBack(fs, root, index, step);
    } else if (found !== idOf(step.before)) {
      kept.push(step.path);
    }
  }
  await settle(fs, root, journal.steps);
  await fs.rename(phaseFolder(root, "rollback"), phaseFolder(root, "staging"));
  await cleanUp(fs, root);
  return { command: journal.command, outcome: "taken back", kept };
}

async function takeBack(fs: FileSystem, root: string, index: number, step: Step): Promise<void> {
  await refuseUnsafe(fs, root, step.path);
  const old = oldFile(root, "rollback", index);
  if (!step.before) {
    await fs.remove(join(root, step.path));
  } else if ((await fs.kindOf(old)) === "file") {
    await makeFoldersAbove(fs, root, step.path);
    await fs.rename(old, join(root, step.path));
  }
}

/** Leaves no empty folder behind, and puts all that was renamed on the disk. */
async function settle(fs: FileSystem, root: string, steps: readonly Step[]): Promise<void> {
  for (const { path } of steps) {
    if ((await fs.kindOf(join(root, path))) === "nothing") {
      await removeEmptyFolders(fs, root, path);
    }
  }
  for (const folder of new Set(steps.map(({ path }) => folderOf(root, path)))) {
    if ((await fs.kindOf(folder)) === "folder") {
      await fs.syncFolder(folder);
    }
  }
}

/** Makes the folders that a file needs, which get the owner of the service. */
async function makeFoldersAbove(fs: FileSystem, root: string, path: string): Promise<void> {
  for (const folder of foldersAbove(path)) {
    if ((await fs.kindOf(join(root, folder))) === "nothing") {
      await fs.makeFolder(join(root, folder));
      await fs.copyOwner(root, join(root, folder));
    }
  }
}

async function idOnDisk(fs: FileSystem, path: string): Promise<string | undefined> {
  return (await fs.kindOf(path)) === "file" ? blobId(await fs.readFile(path)) : undefined;
}

function idOf(state: Step["before"]): string | undefined {
  return state?.id;
}
