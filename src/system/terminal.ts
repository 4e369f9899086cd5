import { checkbox, confirm, input, select } from "@inquirer/prompts";

import { GoBack, UserError } from "../errors.ts";
import type { Prompter, TextQuestion } from "../ports.ts";
import { colours } from "./colours.ts";

/** The person at the terminal, who may leave with Ctrl-C at any question. */
export function terminal(signal: AbortSignal): Prompter {
  return {
    text: (question) => answered(question, signal, (shown) => input(textPrompt(shown), shown)),
    choose: (question) => answered(question, signal, (shown) => select(shown, shown)),
    chooseSome: (question) =>
      answered(question, signal, (shown) => checkbox(choicesPrompt(shown), shown)),
    confirm: (question) => answered(question, signal, (shown) => confirm(shown, shown)),
  };
}

/** A text question for inquirer, which explains a broken rule when it gets such a text. */
export function textPrompt({ message, default: fallback, problem, slowProblem }: TextQuestion) {
  return {
    message,
    ...(fallback !== undefined && { default: fallback }),
    validate: async (text: string) => {
      const broken = problem(text) ?? (await slowProblem?.(text));
      return broken === undefined ? true : wrap(broken, (process.stdout.columns ?? 80) - 4);
    },
  };
}

/** Breaks a text between its words: inquirer would break them anywhere. */
function wrap(text: string, width: number): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(word);
    } else {
      lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
    }
  }
  return lines.join("\n");
}

/** A list for inquirer, which also says in the end that nothing was ticked. */
export function choicesPrompt<Question extends object>(question: Question) {
  return { ...question, theme: { style: { renderSelectedChoices: namesOf } } };
}

function namesOf(ticked: readonly { short: string }[]): string {
  return ticked.map(({ short }) => short).join(", ") || "none";
}

interface Shown {
  message: string;
  signal: AbortSignal;
}

/** Shows a question until it is answered, or until the person leaves or wants back. */
async function answered<Question extends { message: string; back?: boolean }, Answer>(
  question: Question,
  signal: AbortSignal,
  show: (shown: Question & Shown) => Promise<Answer>,
): Promise<Answer> {
  const back = new AbortController();
  const onKey = (_: unknown, key?: { name?: string }) => {
    if (question.back && key?.name === "escape") {
      back.abort();
    }
  };
  process.stdin.on("keypress", onKey);
  try {
    return await show({
      ...question,
      message: question.back
        ? `${question.message} ${colours.dim("(esc: back)")}`
        : question.message,
      signal: AbortSignal.any([signal, back.signal]),
    });
  } catch (error) {
    if (back.signal.aborted && !signal.aborted) {
      throw new GoBack();
    }
    if (error instanceof Error && /^(ExitPrompt|AbortPrompt)Error$/.test(error.name)) {
      throw new UserError("INTERRUPTED", "interrupted; nothing was written");
    }
    throw error;
  } finally {
    process.stdin.off("keypress", onKey);
  }
}
