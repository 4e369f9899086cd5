import { closest } from "../answers/words.ts";
import type { Integration } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import type { ServiceOptions } from "./commands.ts";
import type { Host } from "./host.ts";

/** Which integrations a command is about: those on the command line, else those that are ticked. */
export async function chooseIntegrations(
  host: Host,
  message: string,
  command: string,
  known: readonly Integration[],
  choices: readonly Integration[],
  { names, yes, json }: ServiceOptions,
): Promise<{ names: string[]; asked: boolean }> {
  if (names.length > 0) {
    names.forEach((name) => refuseUnknown(name, known));
    return { names: [...new Set(names)], asked: false };
  }
  if (choices.length === 0) {
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

function refuseUnknown(name: string, known: readonly Integration[]): void {
  const all = known.map((integration) => integration.name);
  if (!all.includes(name)) {
    const guess = closest(name, all);
    throw new UserError(
      "INVALID_ANSWER",
      `there is no integration ${JSON.stringify(name)}`,
      guess ? `did you mean ${guess}?` : `there are ${all.join(", ") || "none yet"}`,
    );
  }
}
