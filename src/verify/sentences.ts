import type { Level, Result } from "./check.ts";
import { STANDARD } from "./standard.ts";

/** A sentence of the standard, and what became of the checks of it. */
export interface SentenceResult {
  sentence: string;
  /** Failed when a case failed that counts; not checked when no case could be tried. */
  outcome: Result["outcome"];
  cases: Result[];
}

export type Counts = Record<Level, Record<Result["outcome"], number>>;

/** Results by the sentence that they are about, in the standard's order. With `strict`, hardening counts, too. */
export function bySentence(results: readonly Result[], strict: boolean): SentenceResult[] {
  return Object.values(STANDARD)
    .map((sentence) => {
      const cases = results.filter((result) => result.sentence === sentence);
      return { sentence, outcome: outcomeOf(cases, strict), cases };
    })
    .filter(({ cases }) => cases.length > 0);
}

function outcomeOf(cases: readonly Result[], strict: boolean): Result["outcome"] {
  if (cases.some((one) => counts(one, strict) && one.outcome === "failed")) return "failed";
  // What only hardening could tell is not known to be met.
  const telling = cases.some(({ level }) => level === "must")
    ? cases.filter(({ level }) => level === "must")
    : cases;
  return telling.some(({ outcome }) => outcome === "passed") ? "passed" : "not checked";
}

/** Whether a failure of this case is one of the service. */
export function counts({ level }: Result, strict: boolean): boolean {
  return strict || level === "must";
}

/** How many checks of each level had which outcome. */
export function countsOf(results: readonly Result[]): Counts {
  const none = { passed: 0, failed: 0, "not checked": 0 };
  const total: Counts = { must: { ...none }, hardening: { ...none } };
  for (const { level, outcome } of results) total[level][outcome] += 1;
  return total;
}
