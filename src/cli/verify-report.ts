import type { Result } from "../verify/check.ts";
import { counts, countsOf, type SentenceResult } from "../verify/sentences.ts";
import type { Target } from "../verify/target.ts";
import type { Report } from "./report.ts";

// More exchanges of one sentence seldom say more; the JSON document has all of them.
const SHOWN_EXCHANGES = 3;

/** Tells how a service stands to the standard. */
export class VerifyReport {
  readonly #report: Report;
  readonly #strict: boolean;

  constructor(report: Report, strict: boolean) {
    this.#report = report;
    this.#strict = strict;
  }

  show({ url, metricsUrl, jsonRoute }: Target, sentences: readonly SentenceResult[]): void {
    const results = sentences.flatMap(({ cases }) => cases);
    if (this.#report.json) {
      this.#report.document({
        verify: { url, metricsUrl, route: jsonRoute?.path, counts: countsOf(results), sentences },
      });
      return;
    }
    this.#report.line();
    sentences.forEach((sentence) => this.#sentence(sentence));
    this.#summary(sentences, results);
  }

  #sentence({ sentence, outcome, cases }: SentenceResult): void {
    const passed = cases.filter((one) => one.outcome === "passed").length;
    const title = `${sentence} (${passed} of ${cases.length} passed)`;
    if (outcome === "failed") {
      this.#report.bad(title);
    } else if (outcome === "passed") {
      this.#report.good(title);
    } else {
      this.#report.line(`- ${title}`);
    }
    const failed = cases.filter((one) => one.outcome === "failed");
    const grave = failed.filter((one) => counts(one, this.#strict));
    grave.forEach((one, index) => this.#failure(one, index < SHOWN_EXCHANGES));
    for (const one of failed.filter((other) => !grave.includes(other))) {
      this.#report.line(`    hardening: ${one.id}: ${one.note}`);
    }
    for (const [reason, count] of reasonsOf(cases)) {
      this.#report.line(`    ${count} not checked: ${reason}`);
    }
  }

  #failure({ id, note, exchange }: Result, whole: boolean): void {
    this.#report.line(`    ${id}: ${note}`);
    if (exchange && whole) {
      this.#lines("sent", exchange.sent);
      this.#lines("came", exchange.came);
    }
  }

  #lines(title: string, text: string): void {
    for (const [index, line] of text.trimEnd().split(/\r?\n/).entries()) {
      this.#report.line(`      ${(index === 0 ? title : "").padEnd(5)} ${line}`);
    }
  }

  #summary(sentences: readonly SentenceResult[], results: readonly Result[]): void {
    this.#report.line();
    for (const [level, of] of Object.entries(countsOf(results))) {
      const { passed, failed, "not checked": rest } = of;
      this.#report.row(level, `${passed} passed, ${failed} failed, ${rest} not checked`);
    }
    const count = (wanted: Result["outcome"]) =>
      sentences.filter(({ outcome }) => outcome === wanted).length;
    const rest = count("not checked") > 0 ? `; ${count("not checked")} could not be checked` : "";
    if (count("failed") > 0) {
      const of = `${count("failed")} of ${sentences.length}`;
      this.#report.bad(`The service breaks ${of} sentences of the standard${rest}`);
    } else if (count("passed") > 0) {
      this.#report.good(`The service meets ${count("passed")} sentences of the standard${rest}`);
    }
  }
}

function reasonsOf(cases: readonly Result[]): Map<string, number> {
  const reasons = new Map<string, number>();
  for (const { outcome, note } of cases) {
    if (outcome === "not checked") {
      reasons.set(note, (reasons.get(note) ?? 0) + 1);
    }
  }
  return reasons;
}
