import { systemCode, UserError } from "../errors.ts";

interface Explanation {
  what: string;
  hint: string;
}

const PERMISSION = { what: "you may not write there", hint: "ask for the right to write there" };
const APPEARED = { what: "something appeared there meanwhile", hint: "look at it" };

const EXPLANATIONS: Record<string, Explanation> = {
  EACCES: PERMISSION,
  EPERM: PERMISSION,
  EROFS: { what: "that disk is read-only", hint: "make it writable" },
  ENOSPC: { what: "the disk is full", hint: "free some space" },
  EDQUOT: { what: "your disk quota is used up", hint: "free some space" },
  EFBIG: { what: "a file there may not get that large", hint: "raise the limit (ulimit -f)" },
  EIO: { what: "the disk fails", hint: "see what the system's log says of it" },
  EMFILE: { what: "too many files are open", hint: "raise the limit (ulimit -n)" },
  EXDEV: { what: "part of it is on another disk", hint: "have the whole service on one disk" },
  EBUSY: { what: "another program holds it", hint: "close that program" },
  ENAMETOOLONG: { what: "the path is too long", hint: "pick a shorter one" },
  ENOTEMPTY: APPEARED,
  EEXIST: APPEARED,
  EISDIR: { what: "a folder is where a file belongs", hint: "move it away" },
  ENOTDIR: { what: "something on the way is no folder", hint: "move it away" },
};

/** An error of the disk in the user's words; any other error as it is. */
export function explainDisk(
  error: unknown,
  { where, outcome = "", advice }: { where: string; outcome?: string; advice: string },
): unknown {
  const explanation = EXPLANATIONS[systemCode(error)];
  if (error instanceof UserError || !explanation) {
    return error;
  }
  const { what, hint } = explanation;
  const message = `cannot write ${where}: ${what}${outcome}`;
  return new UserError("CANNOT_WRITE", message, `${hint}, ${advice}`);
}
