import { checkbox, confirm, input, select } from "@inquirer/prompts";

import { UserError } from "../errors.ts";
import type { Prompter, TextQuestion } from "../ports.ts";
import { colours } from "./colours.ts";

/** The person at the terminal, who may leave with Ctrl-C at any question. */
export function terminal(signal: AbortSignal): Prompter {
  return {
    text: (question) => answered(input(textPrompt(question), { signal })),
    choose: (question) => answered(select(question, { signal })),
    chooseSome: (question) => answered(checkbox(question, { signal })),
    confirm: (question) => answered(confirm(question, { signal })),
  };
}

/** A text question for inquirer: the broken rule is shown next to the text while it is typed. */
export function textPrompt({ message, default: fallback, problem, slowProblem }: TextQuestion) {
  return {
    message,
    ...(fallback !== undefined && { default: fallback }),
    validate: async (text: string) => problem(text) ?? (await slowProblem?.(text)) ?? true,
    transformer: (text: string, { isFinal }: { isFinal: boolean }) => {
      const broken = text === "" || isFinal ? undefined : problem(text);
      return broken ? `${text}  ${colours.dim(`(${broken})`)}` : text;
    },
  };
}

async function answered<Answer>(prompt: Promise<Answer>): Promise<Answer> {
  try {
    return await prompt;
  } catch (error) {
    if (error instanceof Error && /^(ExitPrompt|AbortPrompt)Error$/.test(error.name)) {
      throw new UserError("INTERRUPTED", "interrupted; nothing was written");
    }
    throw error;
  }
}
