import semver from "semver";

import type { Drift } from "../plan/drift.ts";
import type { ServiceCommand } from "./commands.ts";
import { openService } from "./open-service.ts";
import { readDrift } from "./read-drift.ts";

const DRIFTED = 4;

const WORDS: Record<Drift["kind"], string> = {
  edited: "edited",
  deleted: "deleted",
  mode: "executable, or no longer",
  blocked: "something that is no file is there",
  conflict: "a conflict is still to be decided",
  beside: "the template's own, waiting beside yours",
};

/** Lists what differs between a service and its own answers. */
export const status: ServiceCommand = async (host, report, options) => {
  const service = await openService(host, report, options.directory);
  const { drifts, once, unknown } = await readDrift(host, service);
  const { version: latest } = await host.templates();
  const { templateVersion } = service.state;
  const outdated = semver.lt(templateVersion, latest);
  const ours = drifts.filter(({ yours }) => !yours);
  const exitCode = options.check && ours.length > 0 ? DRIFTED : 0;
  if (report.json) {
    const { answers } = service;
    report.document({ status: { templateVersion, latest, outdated, answers, drift: drifts } });
    return exitCode;
  }
  const { name, framework, integrations } = service.answers;
  report.line(`${name}: ${[framework, ...integrations].join(", ")}`);
  report.line(
    outdated
      ? `templates ${templateVersion}; ${latest} is there: create-fetch-service update`
      : `templates ${templateVersion}, the latest that this command knows`,
  );
  for (const { path, kind } of ours) {
    report.line(`  ${path}: ${WORDS[kind]}`);
  }
  const yours = drifts.length - ours.length;
  report.line(
    `${ours.length || "none"} of ${once.size + unknown.size} files differ from the template` +
      (yours > 0 ? `, and ${yours} of your own` : ""),
  );
  return exitCode;
};
