import { join } from "node:path";

import { UserError } from "../errors.ts";
import type { FileSystem } from "../ports.ts";
import { refuseOutside } from "./safe-path.ts";

/** Holds what our commands keep for themselves; it ignores itself, so git never sees it. */
export const WORK_FOLDER = ".fetch-service";

/** What a file is or will be. */
export interface FileState {
  id: string;
  mode: number;
}

/** One file's change. `null`: the file does not exist. */
export interface Step {
  path: string;
  before: FileState | null;
  after: FileState | null;
}

/** Everything that one commit changes, as it is written down before the first change. */
export interface Journal {
  /** The command that made it, for later reports. */
  command: string;
  /** It takes back the commit before it, and so leaves nothing to undo. */
  undoes: boolean;
  steps: Step[];
}

/**
 * The folders of a commit; it becomes the next one by a single rename. `staging` is worth nothing
 * if the run dies, `commit` is to be finished, `rollback` to be taken back, and `undo` is done.
 */
export type Phase = "staging" | "commit" | "rollback" | "undo";

export function phaseFolder(root: string, phase: Phase): string {
  return join(root, WORK_FOLDER, phase);
}

/** The new bytes of a step, until they are put in their place. */
export function newFile(root: string, phase: Phase, index: number): string {
  return join(phaseFolder(root, phase), `${index}.new`);
}

/** The old bytes of a step; those of a file to be deleted, from the moment it is. */
export function oldFile(root: string, phase: Phase, index: number): string {
  return join(phaseFolder(root, phase), `${index}.old`);
}

const JOURNAL = "journal";

export async function writeJournal(fs: FileSystem, root: string, journal: Journal): Promise<void> {
  const path = join(phaseFolder(root, "staging"), JOURNAL);
  await fs.writeDurably(path, Buffer.from(JSON.stringify(journal, null, 2)), 0o644);
}

/** Reads the journal of a phase; undefined when there is none. */
export async function readJournal(
  fs: FileSystem,
  root: string,
  phase: Phase,
): Promise<Journal | undefined> {
  const path = join(phaseFolder(root, phase), JOURNAL);
  const isOurs =
    (await fs.kindOf(phaseFolder(root, phase))) === "folder" && (await fs.kindOf(path)) === "file";
  if (!isOurs) {
    return undefined;
  }
  try {
    const journal = JSON.parse(Buffer.from(await fs.readFile(path)).toString("utf8")) as Journal;
    // A folder from elsewhere may hold a journal that somebody else wrote.
    journal.steps.forEach((step) => refuseOutside(step.path));
    return journal;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof UserError) {
      throw new UserError(
        "CANNOT_WRITE",
        `${path} is damaged, so it is unknown what was being changed`,
        `look at the service's files, then remove ${phaseFolder(root, phase)}`,
      );
    }
    throw error;
  }
}
