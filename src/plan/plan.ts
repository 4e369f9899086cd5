/** A file as it lies on the disk. */
export interface DiskFile {
  bytes: Uint8Array;
  mode: number;
}

/** The user's files by path, with "/" between the parts. */
export type DiskTree = ReadonlyMap<string, DiskFile>;

/** One file that a command writes or deletes. */
export interface Change {
  path: string;
  kind: "create" | "update" | "delete";
  /** What must still lie there when it is written; null when nothing may. */
  before: { id: string; mode: number } | null;
  /** What lies there afterwards; null when nothing does. */
  after: DiskFile | null;
  /** Blocks that are marked as a conflict in the new text. */
  conflicts: number;
  /** What is worth knowing of this change, a sentence each. */
  notes: string[];
}

/** Something that the user has to decide, so the command ends with 3. */
export interface Conflict {
  /** The user's file. */
  path: string;
  kind:
    | "marked" // both changed the same lines; they stand in the file between marks
    | "taken" // a file of the user's, where the template has one too
    | "blocked" // no file at all stands there: a folder, a link, or a file in place of a folder
    | "unmergeable" // bytes that are no text
    | "unknown-base"; // the template's earlier version is lost
  message: string;
  /** Where the template's file lies instead, for all but "marked". */
  beside?: string;
  /** Where the template had the file and has it, when that may be elsewhere. */
  template?: { was: string; wanted: string };
}

/** Something that was decided for the user and is only said. */
export interface Finding {
  path: string;
  kind:
    | "stays-deleted" // by the user; `restore` brings it back
    | "not-deleted" // so `restore` has nothing to bring back
    | "kept-edited" // the template dropped it, but the user had edited or moved it
    | "kept-yours" // the user's alone since the day it was written, and the template's has changed
    | "moved" // found under another name, to which the change was applied
    | "maybe-moved" // perhaps the same file under another name, so nothing was applied
    | "refers" // it imports a file that is deleted
    | "version" // both changed one version
    | "unformatted" // the team's formatter could not run
    | "value" // both changed one value; the user's stands
    | "list"; // both changed one list; it has the changes of both
  message: string;
}

/** What a command will do, before it does anything. Sorted by path. */
export interface Plan {
  /** The state file is among them when it changes. */
  changes: Change[];
  conflicts: Conflict[];
  findings: Finding[];
}
