import type { Manifest } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import type { Prompter } from "../ports.ts";
import { type AnswerKey, type Answers, problemOf } from "./schema.ts";

/** What a question may know: the catalogue, and what has been answered so far. */
export interface Asking {
  prompter: Prompter;
  manifest: Manifest;
  defaults: Omit<Answers, "name">;
  answers: Partial<Answers>;
  takenBy: TakenBy;
}

/** Says what stands in the way of a service of this name. */
export type TakenBy = (name: string) => Promise<string | undefined>;

type Question = (asking: Asking) => Promise<unknown>;

const QUESTIONS: Record<AnswerKey, Question> = {
  name: ({ prompter, manifest, takenBy }) =>
    prompter.text({
      message: "Name of the service",
      problem: (text) => problemOf(manifest, "name", text),
      slowProblem: takenBy,
    }),
  description: (asking) => askText(asking, "description", "What does it do?"),
  team: (asking) => askText(asking, "team", "Team that owns it"),
  framework: ({ prompter, manifest, defaults }) =>
    prompter.choose({
      message: "HTTP framework",
      choices: manifest.frameworks.map(({ name, title }) => ({ value: name, name: title })),
      default: defaults.framework,
    }),
  port: (asking) => askPort(asking, "port", "Port of the API"),
  metricsPort: (asking) => askPort(asking, "metricsPort", "Port of /metrics"),
  integrations: async ({ prompter, manifest }) =>
    // Nothing to choose from: do not ask.
    manifest.integrations.length === 0
      ? []
      : await prompter.chooseSome({
          message: "Integrations",
          choices: manifest.integrations.map(({ name, title, summary }) => ({
            value: name,
            name: title,
            description: summary,
          })),
        }),
  packageManager: ({ prompter, manifest, defaults }) =>
    prompter.choose({
      message: "Package manager",
      choices: manifest.packageManagers.map(({ name }) => ({ value: name, name })),
      default: defaults.packageManager,
    }),
};

/** Asks for what is missing among the answers, in the order of the questions. */
export async function ask(asking: Asking): Promise<Partial<Answers>> {
  const answers: Record<string, unknown> = { ...asking.answers };
  for (const [key, question] of Object.entries(QUESTIONS)) {
    answers[key] ??= await question({ ...asking, answers });
  }
  return answers;
}

function askText(
  { prompter, manifest, defaults }: Asking,
  key: "description" | "team",
  message: string,
): Promise<string> {
  return prompter.text({
    message,
    default: defaults[key],
    problem: (text) => problemOf(manifest, key, text),
  });
}

async function askPort(
  { prompter, manifest, defaults, answers }: Asking,
  key: "port" | "metricsPort",
  message: string,
): Promise<number> {
  const taken = key === "metricsPort" ? answers.port : undefined;
  // The default must be good even when the other port was set to it.
  const fallback = defaults[key] === taken ? defaults[key] + 1 : defaults[key];
  const text = await prompter.text({
    message,
    default: String(fallback),
    problem: (input) =>
      problemOf(manifest, key, Number(input)) ??
      (Number(input) === taken ? "use another port than the API's" : undefined),
  });
  return Number(text);
}

/** Asks the last question, and ends the run when the answer is no. */
export async function confirmWriting(prompter: Prompter, message = "Write it?"): Promise<void> {
  if (!(await prompter.confirm({ message, default: true }))) {
    throw new UserError("INTERRUPTED", "stopped; nothing was written");
  }
}
