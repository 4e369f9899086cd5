import { changesBetween } from "../catalog/changelog.ts";
import type { Templates } from "../catalog/templates.ts";
import { UserError } from "../errors.ts";
import { recordedAnswers } from "../plan/read-state.ts";
import { ChangeReport } from "./change-report.ts";
import { change } from "./change.ts";
import type { ServiceCommand } from "./command.ts";
import { openService } from "./open-service.ts";

/** Brings a service to the templates of this version. */
export const update: ServiceCommand = async (host, report, options) => {
  const service = await openService(host, report, options.directory);
  const templates = await host.templates();
  const { templateVersion } = service.state;
  refuseDropped(service.answers.integrations, templates);
  const changes = changesBetween(await host.changelog(), templateVersion, templates.version);
  const changeReport = new ChangeReport(report, changes);
  return await change(
    host,
    changeReport,
    service,
    {
      command: templateVersion === templates.version ? "update" : `update to ${templates.version}`,
      // An answer that the new catalogue no longer knows is refused here.
      answers: recordedAnswers(service.state, templates.manifest),
      templates,
      asked: false,
    },
    options,
  );
};

function refuseDropped(integrations: readonly string[], { manifest, version }: Templates): void {
  const known = manifest.integrations.map(({ name }) => name);
  const dropped = integrations.filter((name) => !known.includes(name));
  if (dropped.length > 0) {
    throw new UserError(
      "INVALID_ANSWER",
      `version ${version} no longer has the integrations ${dropped.join(", ")}`,
      `take it out first: create-fetch-service remove-integration ${dropped.join(" ")}`,
    );
  }
}
