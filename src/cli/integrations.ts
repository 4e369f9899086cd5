import { closest, namesIn } from "../answers/text.ts";
import type { Integration } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import { ChangeReport } from "./change-report.ts";
import { change } from "./change.ts";
import type { ServiceCommand, ServiceOptions } from "./command.ts";
import type { Host } from "./host.ts";
import { openWithTemplates } from "./open-service.ts";

/** Adds integrations to a service. */
export const addIntegration: ServiceCommand = async (host, report, options) => {
  const service = await openWithTemplates(host, report, options.directory);
  const { answers, templates } = service;
  const { integrations } = templates.manifest;
  const { manifest: latest } = await host.templates();
  const { names, asked } = await chooseIntegrations(
    host,
    {
      command: "add-integration",
      message: "Integrations to add",
      known: integrations,
      choices: integrations.filter(({ name }) => !answers.integrations.includes(name)),
      later: latest.integrations.filter(
        ({ name }) => !integrations.some((integration) => integration.name === name),
      ),
    },
    options,
  );
  const wanted = [...answers.integrations, ...names];
  return await change(
    host,
    new ChangeReport(report),
    service,
    {
      command: ["add-integration", ...names].join(" "),
      answers: {
        ...answers,
        integrations: namesOf(integrations).filter((name) => wanted.includes(name)),
      },
      templates,
      asked,
    },
    options,
  );
};

/** Takes integrations out of a service. What was edited of them stays, and is reported. */
export const removeIntegration: ServiceCommand = async (host, report, options) => {
  const service = await openWithTemplates(host, report, options.directory);
  const { answers, templates } = service;
  const { integrations } = templates.manifest;
  const { names, asked } = await chooseIntegrations(
    host,
    {
      command: "remove-integration",
      message: "Integrations to take out",
      known: integrations,
      choices: integrations.filter(({ name }) => answers.integrations.includes(name)),
      later: [],
    },
    options,
  );
  return await change(
    host,
    new ChangeReport(report),
    service,
    {
      command: ["remove-integration", ...names].join(" "),
      answers: {
        ...answers,
        integrations: answers.integrations.filter((name) => !names.includes(name)),
      },
      templates,
      asked,
    },
    options,
  );
};

interface Selection {
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
async function chooseIntegrations(
  host: Host,
  { command, message, known, choices, later }: Selection,
  { names: typed, yes, json }: ServiceOptions,
): Promise<{ names: string[]; asked: boolean }> {
  // `create` takes them with commas, so some type commas here, too.
  const names = namesIn(typed);
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
      `for example: create-fetch-service ${command} ${namesOf(choices).join(" ")}`,
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
    `unknown integration ${JSON.stringify(name)}`,
    guess ? `did you mean ${guess}?` : `there are ${all.join(", ") || "none yet"}`,
  );
}

function namesOf(integrations: readonly Integration[]): string[] {
  return integrations.map(({ name }) => name);
}
