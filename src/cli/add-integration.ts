import { ChangeReport } from "./change-report.ts";
import { change } from "./change.ts";
import { chooseIntegrations } from "./choose-integrations.ts";
import type { ServiceCommand } from "./commands.ts";
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
        integrations: integrations.map(({ name }) => name).filter((name) => wanted.includes(name)),
      },
      templates,
      asked,
    },
    options,
  );
};
