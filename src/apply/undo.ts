import { join } from "node:path";

import { UserError } from "../errors.ts";
import { blobId } from "../plan/blob-id.ts";
import type { Change } from "../plan/plan.ts";
import type { FileSystem } from "../ports.ts";
import { oldFile, readJournal, type Step } from "./journal.ts";

/** The last command, and the changes that take it back. */
export interface UndoPlan {
  command: string;
  changes: Change[];
  /** Files that changed since, and so stay as they are. */
  kept: string[];
}

/**
 * Reads what it takes to get back to before the last command.
 * @param keepEdited leaves out files that were edited since, instead of refusing.
 * @throws {UserError} when there is nothing to undo, or when an edit made since would be lost.
 */
export async function readUndo(
  fs: FileSystem,
  root: string,
  keepEdited = false,
): Promise<UndoPlan> {
  const journal = await readJournal(fs, root, "undo");
  if (!journal) {
    throw new UserError(
      "NOTHING_TO_UNDO",
      "there is nothing to undo here",
      "one step back is kept, from the last command that changed a file",
    );
  }
  const kept: string[] = [];
  const changes: Change[] = [];
  for (const [index, step] of journal.steps.entries()) {
    const target = join(root, step.path);
    const bytes = (await fs.kindOf(target)) === "file" ? await fs.readFile(target) : undefined;
    const now = bytes ? { id: blobId(bytes), mode: await fs.modeOf(target) } : null;
    if (now?.id !== step.after?.id) {
      kept.push(step.path);
    } else {
      changes.push({ ...(await reverse(fs, root, index, step)), before: now });
    }
  }
  if (kept.length > 0 && !keepEdited) {
    throw new UserError(
      "EDITED_SINCE",
      `these files changed after \`${journal.command}\`, so nothing was undone:\n  ${kept.join("\n  ")}`,
      "undo --force-files takes back all the others; git may have older versions of these",
    );
  }
  return { command: journal.command, changes, kept };
}

async function reverse(
  fs: FileSystem,
  root: string,
  index: number,
  { path, before, after }: Step,
): Promise<Omit<Change, "before">> {
  const common = { path, conflicts: 0, notes: [] };
  if (!before) {
    return { ...common, kind: "delete", after: null };
  }
  const old = oldFile(root, "undo", index);
  if ((await fs.kindOf(old)) !== "file") {
    throw new UserError(
      "CANNOT_READ",
      `${old} is missing, so ${path} cannot be brought back; nothing was undone`,
      "git has older versions, if it was committed before; nothing else needs that folder",
    );
  }
  const bytes = await fs.readFile(old);
  return { ...common, kind: after ? "update" : "create", after: { bytes, mode: before.mode } };
}
