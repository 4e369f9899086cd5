/** What went wrong, as a word that `--json` prints and tests compare. */
export type ErrorCode =
  | "USAGE"
  | "MISSING_ANSWERS"
  | "INVALID_ANSWER"
  | "TARGET_TAKEN"
  | "CANNOT_READ"
  | "CANNOT_WRITE"
  | "STATE_MISSING"
  | "STATE_NEWER"
  | "STATE_BROKEN"
  | "TEMPLATES_LOST"
  | "UNRESOLVED_CONFLICT"
  | "CHANGED_MEANWHILE"
  | "BUSY"
  | "NOTHING_TO_UNDO"
  | "EDITED_SINCE"
  | "INSTALL_FAILED"
  | "VERIFY_FAILED"
  | "UNREACHABLE"
  | "INTERRUPTED";

const EXIT_CODES: Record<ErrorCode, number> = {
  USAGE: 2,
  MISSING_ANSWERS: 2,
  INVALID_ANSWER: 2,
  TARGET_TAKEN: 1,
  CANNOT_READ: 1,
  CANNOT_WRITE: 1,
  STATE_MISSING: 1,
  STATE_NEWER: 1,
  STATE_BROKEN: 1,
  TEMPLATES_LOST: 1,
  UNRESOLVED_CONFLICT: 1,
  CHANGED_MEANWHILE: 1,
  BUSY: 1,
  NOTHING_TO_UNDO: 1,
  EDITED_SINCE: 1,
  INSTALL_FAILED: 1,
  VERIFY_FAILED: 1,
  UNREACHABLE: 2,
  INTERRUPTED: 130,
};

/** Something that the user can fix: says what is wrong and, in the hint, what to do. */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }

  get exitCode(): number {
    return EXIT_CODES[this.code];
  }
}

/** Not a failure: the person wants to answer the question before this one again. */
export class GoBack extends Error {
  override readonly name = "GoBack";
}

/** Node's word for an error of the system, such as ENOSPC. */
export function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** What an error of unknown kind says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Something that only we can fix: a broken template, a broken promise of the code. */
export class InternalError extends Error {
  override readonly name = "InternalError";

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
  }
}
