import type { Manifest } from "../catalog/manifest.ts";
import { GoBack, UserError } from "../errors.ts";
import type { Prompter } from "../ports.ts";
import { suggestName } from "./complete.ts";
import { type AnswerKey, type Answers, problemOf } from "./schema.ts";

/** What a question may know: the catalogue, and what has been answered so far. */
export interface Asking {
  prompter: Prompter;
  manifest: Manifest;
  defaults: Answers;
  answers: Partial<Answers>;
  takenBy: TakenBy;
  /** The names of the package managers that are on this machine. */
  installed: ReadonlySet<string>;
}

/** Says what stands in the way of a service of this name. */
export type TakenBy = (name: string) => Promise<string | undefined>;

/** One of the questions, which may have another before it. */
type Asked = Asking & { back: boolean };
type Question = (asked: Asked) => Promise<unknown>;

const QUESTIONS: Record<AnswerKey, Question> = {
  name: ({ prompter, manifest, defaults, takenBy, back }) =>
    prompter.text({
      back,
      message: "Name of the service",
      default: defaults.name,
      problem: (text) => {
        const problem = problemOf(manifest, "name", text);
        const suggestion = suggestName(text);
        const example =
          suggestion === undefined || suggestion === text ? "" : `, for example ${suggestion}`;
        return problem && `${problem}${example}`;
      },
      slowProblem: takenBy,
    }),
  description: (asking) => askText(asking, "description", "What does it do?"),
  team: (asking) => askText(asking, "team", "Team that owns it"),
  framework: ({ prompter, manifest, defaults, back }) =>
    prompter.choose({
      back,
      message: "HTTP framework",
      choices: manifest.frameworks.map(({ name, title, summary }) => ({
        value: name,
        name: title,
        description: summary,
      })),
      default: defaults.framework,
    }),
  port: (asking) => askPort(asking, "port", "Port of the API"),
  metricsPort: (asking) => askPort(asking, "metricsPort", "Port of /metrics"),
  integrations: async ({ prompter, manifest, back }) =>
    // Nothing to choose from: do not ask.
    manifest.integrations.length === 0
      ? []
      : await prompter.chooseSome({
          back,
          message: "Integrations",
          choices: manifest.integrations.map(({ name, title, summary }) => ({
            value: name,
            name: title,
            description: summary,
          })),
        }),
  packageManager: ({ prompter, manifest, defaults, installed, back }) =>
    prompter.choose({
      back,
      message: "Package manager",
      choices: manifest.packageManagers.map(({ name }) => ({
        value: name,
        name: installed.has(name) ? name : `${name} (not installed)`,
      })),
      default: defaults.packageManager,
    }),
};

/** Asks for what is missing among the answers, in the order of the questions, with a way back. */
export async function ask(asking: Asking): Promise<Partial<Answers>> {
  const answers: Record<string, unknown> = { ...asking.answers };
  const missing = Object.entries(QUESTIONS).filter(([key]) => answers[key] === undefined);
  for (let at = 0; at < missing.length;) {
    const [key = "", question] = missing[at] ?? [];
    try {
      answers[key] = await question?.({ ...asking, answers, back: at > 0 });
      at += 1;
    } catch (error) {
      if (!(error instanceof GoBack)) {
        throw error;
      }
      at -= 1;
      delete answers[missing[at]?.[0] ?? ""];
    }
  }
  return answers;
}

function askText(
  { prompter, manifest, defaults, back }: Asked,
  key: "description" | "team",
  message: string,
): Promise<string> {
  return prompter.text({
    back,
    message,
    default: defaults[key],
    problem: (text) => problemOf(manifest, key, text),
  });
}

async function askPort(
  { prompter, manifest, defaults, answers, back }: Asked,
  key: "port" | "metricsPort",
  message: string,
): Promise<number> {
  const taken = key === "metricsPort" ? answers.port : undefined;
  // The default must be good even when the other port was set to it.
  const fallback = defaults[key] === taken ? defaults[key] + 1 : defaults[key];
  const text = await prompter.text({
    back,
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
