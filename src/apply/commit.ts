import { join } from "node:path";

import { UserError } from "../errors.ts";
import { blobId } from "../plan/blob-id.ts";
import type { Change } from "../plan/plan.ts";
import type { FileSystem, Processes } from "../ports.ts";
import { explainDisk } from "./explain.ts";
import {
  type FileState,
  type Journal,
  newFile,
  oldFile,
  phaseFolder,
  writeJournal,
} from "./journal.ts";
import { lock } from "./lock.ts";
import { complete, recoverLocked } from "./recover.ts";
import { refuseUnsafe } from "./safe-path.ts";

/** What a commit needs of the outside. */
export interface CommitTools {
  fs: FileSystem;
  processes: Processes;
  signal: AbortSignal;
}

/** Changes of a service, to be made as one. */
export interface Commit {
  root: string;
  /** The command that makes it, for later reports. */
  command: string;
  changes: readonly Change[];
  /** It takes back the commit before it. */
  undoes?: boolean;
}

/**
 * Makes all changes of a service or none. Everything is first written to a staging folder; renaming
 * that folder is the decision; the rest are renames, which the next run finishes if this one dies.
 */
export async function commit(tools: CommitTools, request: Commit): Promise<void> {
  const { root } = request;
  try {
    const release = await lock(tools.fs, tools.processes, root);
    try {
      await commitLocked(tools, request);
    } finally {
      await release().catch(() => undefined);
    }
  } catch (error) {
    throw explainDisk(error, {
      where: root,
      outcome: "; nothing was changed",
      advice: "and run the command again",
    });
  }
}

async function commitLocked(tools: CommitTools, request: Commit): Promise<void> {
  const { fs } = tools;
  const { root } = request;
  await recoverLocked(fs, root);
  try {
    await prepare(tools, request);
  } catch (error) {
    await fs.remove(phaseFolder(root, "staging")).catch(() => undefined);
    throw error;
  }
  const { failure } = await complete(fs, root, journalOf(request));
  if (failure) {
    throw failure.error;
  }
}

/** Stages new and old bytes and the journal, and decides. */
async function prepare({ fs, signal }: CommitTools, request: Commit): Promise<void> {
  const { root, changes, undoes } = request;
  const staging = phaseFolder(root, "staging");
  await refuseChanged(fs, root, changes);
  await fs.remove(staging);
  await fs.makeFolder(staging);
  await fs.copyOwner(root, staging);
  for (const [index, change] of changes.entries()) {
    signal.throwIfAborted();
    await stage(fs, root, index, change, undoes ?? false);
  }
  await writeJournal(fs, root, journalOf(request));
  await fs.syncFolder(staging);
  // An editor may have saved since the plan was made, or since the staging began.
  await refuseChanged(fs, root, changes);
  signal.throwIfAborted();
  await fs.rename(staging, phaseFolder(root, "commit"));
}

async function stage(
  fs: FileSystem,
  root: string,
  index: number,
  { path, kind, before, after }: Change,
  exactly: boolean,
): Promise<void> {
  // Run as root, a command leaves the files to whom they belong.
  const owner = before ? join(root, path) : root;
  if (after) {
    const file = newFile(root, "staging", index);
    await fs.writeDurably(file, after.bytes, after.mode);
    await fs.copyOwner(owner, file);
    // A new file gets the rights that this user gives to new files.
    if (kind === "update" || exactly) {
      await fs.setMode(file, after.mode);
    }
  }
  if (after && before) {
    const file = oldFile(root, "staging", index);
    await fs.writeDurably(file, await fs.readFile(join(root, path)), before.mode);
    await fs.copyOwner(owner, file);
    await fs.setMode(file, before.mode);
  }
}

/** Refuses changes of files that are not, or no longer, as the plan saw them. */
async function refuseChanged(
  fs: FileSystem,
  root: string,
  changes: readonly Change[],
): Promise<void> {
  for (const { path, before } of changes) {
    await refuseUnsafe(fs, root, path);
    const found = await stateOnDisk(fs, join(root, path));
    if (found?.id !== before?.id || found?.mode !== before?.mode) {
      throw new UserError(
        "CHANGED_MEANWHILE",
        `${path} changed in the meantime; nothing was written`,
        "run the command again",
      );
    }
  }
}

async function stateOnDisk(fs: FileSystem, path: string): Promise<FileState | undefined> {
  return (await fs.kindOf(path)) === "file"
    ? { id: blobId(await fs.readFile(path)), mode: await fs.modeOf(path) }
    : undefined;
}

function journalOf({ command, undoes, changes }: Commit): Journal {
  const steps = changes.map(({ path, before, after }) => ({
    path,
    before,
    after: after && { id: blobId(after.bytes), mode: after.mode },
  }));
  return { command, undoes: undoes ?? false, steps };
}
