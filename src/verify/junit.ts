import type { Result } from "./check.ts";
import { counts, type SentenceResult } from "./sentences.ts";

/** The results in JUnit's format: a suite for each sentence. A failure that does not count is skipped there. */
export function junitOf(sentences: readonly SentenceResult[], strict: boolean): string {
  const suites = sentences.map(({ sentence, cases }) => {
    const failures = cases.filter((one) => one.outcome === "failed" && counts(one, strict)).length;
    const skipped = cases.filter(({ outcome }) => outcome !== "passed").length - failures;
    const numbers = `tests="${cases.length}" failures="${failures}" skipped="${skipped}"`;
    const tests = cases.map((one) => testCase(one, strict)).join("");
    return `  <testsuite name="${escape(sentence)}" ${numbers}>\n${tests}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join("")}</testsuites>\n`;
}

function testCase(result: Result, strict: boolean): string {
  const { id, outcome, note, level, exchange } = result;
  const open = `    <testcase classname="${escape(id.split(".")[0] ?? "")}" name="${escape(id)}"`;
  if (outcome === "passed") return `${open}/>\n`;
  if (outcome === "not checked") return `${open}><skipped message="${escape(note)}"/></testcase>\n`;
  const seen = exchange ? `sent:\n${exchange.sent}\n\ncame:\n${exchange.came}` : "";
  const inside = counts(result, strict)
    ? `<failure type="${level}" message="${escape(note)}">${escape(seen)}</failure>`
    : `<skipped message="${escape(`${level}, failed: ${note}`)}"/>`;
  return `${open}>${inside}</testcase>\n`;
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\n": "&#10;",
};

function escape(text: string): string {
  return (
    text
      .toWellFormed()
      // What XML cannot hold at all, hostile answers do.
      // oxlint-disable-next-line no-control-regex
      .replaceAll(/[\0-\x08\x0b\x0c\x0e-\x1f\r\ufffe\uffff]/g, "")
      .replaceAll(/[&<>"\n]/g, (character) => ENTITIES[character] ?? "")
  );
}
