import type { Target } from "./target.ts";

/** One demand of the standard, and the experiment that shows whether a service meets it. */
export interface Check {
  /** `area.what`, for reports and for running one alone. */
  id: string;
  /** The sentence of the standard that is checked, word for word. */
  sentence: string;
  /**
   * Returns when the service meets the sentence, with a note when something was measured.
   * @throws {Violation} when it does not.
   * @throws {NotChecked} when the target lacks what the experiment needs.
   */
  run(target: Target): Promise<string | void>;
}

export interface Result {
  id: string;
  sentence: string;
  outcome: "passed" | "failed" | "not checked";
  /** What was measured, what was wrong, or what was missing. */
  note: string;
}

/** The service broke the standard. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** The target lacks what a check needs. */
export class NotChecked extends Error {
  override readonly name = "NotChecked";
}

/** `part` of a target, which may be missing. @throws {NotChecked} when it is. */
export function needed<Part>(part: Part | undefined, name: keyof Target): Part {
  if (part === undefined) throw new NotChecked(`the target has no ${name}`);
  return part;
}

/** Runs one check; an error of any kind counts as failed, never as passed. */
export async function runCheck(check: Check, target: Target): Promise<Result> {
  const { id, sentence } = check;
  try {
    const note = await check.run(target);
    return { id, sentence, outcome: "passed", note: note ?? "" };
  } catch (error) {
    const note = error instanceof Error ? error.message : String(error);
    return {
      id,
      sentence,
      outcome: error instanceof NotChecked ? "not checked" : "failed",
      note,
    };
  }
}
