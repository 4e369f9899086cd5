import { ChangeReport } from "./change-report.ts";
import { change } from "./change.ts";
import { chooseIntegrations } from "./choose-integrations.ts";
import type { ServiceCommand } from "./commands.ts";
import { openWithTemplates } from "./open-service.ts";

/** Takes integrations out of a service. What was edited of them stays, and is said. */
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
