import { closest } from "../answers/words.ts";
import type { Integration } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import type { ServiceOptions } from "./commands.ts";
import type { Host } from "./host.ts";

export interface Choosing {
  /** The command that asks, and its question. */
  command: string;
  message: string;
  /** Those that the service's version has, and those of them that make sense here. */
  known: readonly Integration[];
  choices: readonly Integration[];
  /** Those that only a later version has. */
  later: readonly Integration[];
}

/** Which integrations a command is about: those on the command line, else those that are ticked. */
export async function chooseIntegrations(
  host: Host,
  { command, message, known, choices, later }: Choosing,
  { names, yes, json }: ServiceOptions,
): Promise<{ names: string[]; asked: boolean }> {
  if (names.length > 0) {
    names.forEach((name) => refuseUnknown(name, known, later));
    return { names: [...new Set(names)], asked: false };
  }
  if (choices.length === 0) {
    later.forEach(({ name }) => refuseUnknown(name, known, later));
    return { names: [], asked: false };
  }
  if (!host.interactive || yes || json) {
    throw new UserError(
      "MISSING_ANSWERS",
      "nothing can be asked here, and no integration is named",
      `for example: create-fetch-service ${command} ${choices.map(({ name }) => name).join(" ")}`,
    );
  }
  const prompter = await host.prompter();
  const ticked = await prompter.chooseSome({
    message,
    choices: choices.map(({ name, title, summary }) => ({
      value: name,
      name: title,
      description: summary,
    })),
  });
  return { names: ticked, asked: true };
}

function refuseUnknown(
  name: string,
  known: readonly Integration[],
  later: readonly Integration[],
): void {
  if (namesOf(known).includes(name)) {
    return;
  }
  if (namesOf(later).includes(name)) {
    throw new UserError(
      "INVALID_ANSWER",
      `the integration ${name} came with a later version than this service's`,
      "create-fetch-service update, then add it",
    );
  }
  const all = namesOf([...known, ...later]);
  const guess = closest(name, all);
  throw new UserError(
    "INVALID_ANSWER",
    `there is no integration ${JSON.stringify(name)}`,
    guess ? `did you mean ${guess}?` : `there are ${all.join(", ") || "none yet"}`,
  );
}

function namesOf(integrations: readonly Integration[]): string[] {
  return integrations.map(({ name }) => name);
}
