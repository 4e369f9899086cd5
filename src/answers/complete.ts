import type { Manifest } from "../catalog/manifest.ts";
import { messageOf, UserError } from "../errors.ts";
import { flagOf } from "./flags.ts";
import { type AnswerKey, answerKeys, type Answers, answersSchema } from "./schema.ts";
import { closest, show } from "./text.ts";

/** Refuses any answer that is not good, naming its flag and the rule. */
export function checkAnswers(manifest: Manifest, answers: Partial<Answers>): Answers {
  const result = answersSchema(manifest).safeParse(answers);
  if (result.success) {
    return { ...result.data, integrations: inOrder(manifest, result.data.integrations) };
  }
  const [issue] = result.error.issues;
  const key = issue?.path[0] as AnswerKey;
  throw new UserError(
    "INVALID_ANSWER",
    `${flagOf(key)} ${show(answers[key])}: ${issue?.message}`,
    hintFor(key, answers.name),
  );
}

/** What to do about a bad answer. Those that are picked from a list are said with the list. */
function hintFor(key: AnswerKey, name: unknown): string {
  const suggestion = suggestName(name);
  const good: Partial<Record<AnswerKey, string>> = {
    name: suggestion === undefined || suggestion === name ? "my-service" : suggestion,
    description: '--description "What it does"',
    team: "--team platform",
    port: "--port 9000",
    metricsPort: "--metrics-port 9090",
  };
  const example = good[key];
  return example === undefined ? "see create-fetch-service --help" : `for example ${example}`;
}

/** The answers that nobody gave. */
export function missingAnswers(manifest: Manifest, given: Partial<Answers>): AnswerKey[] {
  return answerKeys(manifest).filter((key) => given[key] === undefined);
}

/** Reads an answers file. */
export function parseAnswersFile(manifest: Manifest, text: string): Partial<Answers> {
  const data = parseJsonObject(text);
  const known: readonly string[] = answerKeys(manifest);
  for (const key of Object.keys(data)) {
    if (!known.includes(key)) {
      const guess = closest(key, known);
      throw new UserError(
        "INVALID_ANSWER",
        `--answers: unknown answer ${show(key)}`,
        guess ? `did you mean ${guess}?` : `use ${known.join(", ")}`,
      );
    }
  }
  return data;
}

function parseJsonObject(text: string): Partial<Answers> {
  const hint = 'for example {"name": "my-service", "port": 9000}';
  let data: unknown;
  try {
    // Some editors of Windows begin a file with a byte order mark.
    data = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new UserError("INVALID_ANSWER", `--answers: ${messageOf(error)}`, hint);
  }
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new UserError("INVALID_ANSWER", "--answers: the JSON is not an object", hint);
  }
  return data;
}

function inOrder(manifest: Manifest, names: readonly string[]): string[] {
  return manifest.integrations.map(({ name }) => name).filter((name) => names.includes(name));
}

/** The name nearest to a text that is none; undefined when there is nothing in it to make one of. */
export function suggestName(text: unknown): string | undefined {
  const words =
    String(text)
      .slice(0, 200)
      .toLowerCase()
      .match(/[a-z0-9]+/g) ?? [];
  const name = words
    .join("-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return name.length > 1 ? name : undefined;
}
