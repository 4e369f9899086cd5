import { join } from "node:path";

import * as z from "zod/mini";

import { UserError } from "../errors.ts";
import type { FileSystem } from "../ports.ts";
import { isAllowed } from "./safe-path.ts";

/** Holds what our commands keep for themselves; it ignores itself, so git never sees it. */
export const WORK_FOLDER = ".fetch-service";

const fileState = z.strictObject({
  id: z.string().check(z.regex(/^[0-9a-f]{40}$/)),
  // No set-id bits, whoever wrote the journal.
  mode: z.number().check(z.refine((mode) => (mode & 0o777) === mode)),
});
const step = z.strictObject({
  path: z.string().check(z.refine(isAllowed)),
  before: z.nullable(fileState),
  after: z.nullable(fileState),
});
const journalSchema = z.strictObject({
  /** The command that made it, for later reports. */
  command: z.string(),
  /** It takes back the commit before it, and so leaves nothing to undo. */
  undoes: z.boolean(),
  steps: z.array(step),
});

/** What a file is or will be. */
export type FileState = z.infer<typeof fileState>;

/** One file's change. `null`: the file does not exist. */
export type Step = z.infer<typeof step>;

/** Everything that one commit changes, as it is written down before the first change. */
export type Journal = z.infer<typeof journalSchema>;

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
  await fs.copyOwner(root, path);
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
  const text = Buffer.from(await fs.readFile(path)).toString("utf8");
  // A folder from elsewhere may hold a journal that somebody else wrote.
  const result = journalSchema.safeParse(parse(text));
  if (!result.success) {
    throw damaged(root, phase);
  }
  return result.data;
}

/** The error for a journal, or what belongs to it, that none of our runs has left like this. */
export function damaged(root: string, phase: Phase): UserError {
  return new UserError(
    "CANNOT_WRITE",
    `${phaseFolder(root, phase)} is damaged, so it is unknown what was being changed`,
    `look at the service's files, then remove ${phaseFolder(root, phase)}`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
