import { systemCode, UserError } from "../errors.ts";

interface Explanation {
  what: string;
  hint: string;
}

// Its words depend on what was tried.
const PERMISSION = { what: "", hint: "" };
const APPEARED = { what: "something appeared there in the meantime", hint: "look at it" };

const EXPLANATIONS: Record<string, Explanation> = {
  EACCES: PERMISSION,
  EPERM: PERMISSION,
  EROFS: { what: "that disk is read-only", hint: "make it writable" },
  ENOSPC: { what: "the disk is full", hint: "free some space" },
  EDQUOT: { what: "your disk quota is used up", hint: "free some space" },
  EFBIG: { what: "a file there may not get that large", hint: "raise the limit (ulimit -f)" },
  EIO: { what: "the disk fails", hint: "see the system's log" },
  EMFILE: { what: "too many files are open", hint: "raise the limit (ulimit -n)" },
  EXDEV: { what: "part of it is on another disk", hint: "have the whole service on one disk" },
  EBUSY: { what: "another program holds it", hint: "close that program" },
  ENAMETOOLONG: { what: "the path is too long", hint: "pick a shorter one" },
  ENOTEMPTY: APPEARED,
  EEXIST: APPEARED,
  EISDIR: { what: "a folder is where a file belongs", hint: "move it away" },
  ENOTDIR: { what: "a file is where a folder belongs", hint: "move it away" },
};

/** What was tried, and what to say of it. */
interface ErrorContext {
  where: string;
  outcome?: string;
  advice: string;
  /** What could not be done. */
  verb?: "read" | "write";
}

/** An error of the disk in the user's words; any other error as it is. */
export function explainDisk(
  error: unknown,
  { where, outcome = "", advice, verb = "write" }: ErrorContext,
): unknown {
  const explanation = EXPLANATIONS[systemCode(error)];
  if (error instanceof UserError || !explanation) {
    return error;
  }
  const isPermission = explanation === PERMISSION;
  const what = isPermission ? `you may not ${verb} there` : explanation.what;
  const hint = isPermission ? `ask for the right to ${verb} there` : explanation.hint;
  const code = verb === "read" ? "CANNOT_READ" : "CANNOT_WRITE";
  return new UserError(code, `cannot ${verb} ${where}: ${what}${outcome}`, `${hint}, ${advice}`);
}

// What Node calls the operations of a disk.
const READS = ["open", "read", "scandir", "lstat", "stat"];
const WRITES = ["write", "fsync", "mkdir", "mkdtemp", "rename", "unlink", "rmdir", "rm", "chmod"];

/** The same for an error that nobody expected where it came up: Node says what it was about. */
export function explainSystem(error: unknown): unknown {
  const { path = "on the disk", syscall = "" } = Object(error) as NodeJS.ErrnoException;
  const verb = READS.includes(syscall) ? "read" : "write";
  return verb === "read" || WRITES.includes(syscall)
    ? explainDisk(error, { where: path, advice: "and run the command again", verb })
    : error;
}
