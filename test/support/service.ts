import type { Answers } from "../../src/answers/schema.ts";
import type { Templates } from "../../src/catalog/templates.ts";
import { baseOf } from "../../src/plan/base.ts";
import type { Update } from "../../src/plan/merge-context.ts";
import type { DiskFile, DiskTree, Plan } from "../../src/plan/plan.ts";
import { readState, recordedAnswers } from "../../src/plan/read-state.ts";
import { render } from "../../src/plan/render.ts";
import { STATE_FILE } from "../../src/plan/state.ts";
import { inTeamStyle, UNFORMATTED } from "../../src/plan/team-style.ts";
import type { Tree } from "../../src/plan/tree.ts";
import { planUpdate } from "../../src/plan/update.ts";

/** A service in memory, and the templates of the version that it has. */
export interface Service {
  templates: Templates;
  files: DiskTree;
}

/** What a create writes. */
export function created(templates: Templates, answers: Answers): Service {
  return { templates, files: onDisk(render(templates, answers)) };
}

export function onDisk(tree: Tree): Map<string, DiskFile> {
  return new Map([...tree].map(([path, { bytes, mode }]) => [path, { bytes, mode }]));
}

/** Brings a service to other answers or templates, as the commands do, and says how. */
export function changed(
  service: Service,
  wish: { integrations?: string[]; templates?: Templates },
  given: Partial<Update> = {},
): { service: Service; plan: Plan } {
  const { files } = service;
  const state = readState(files.get(STATE_FILE)?.bytes);
  const templates = wish.templates ?? service.templates;
  const answers = recordedAnswers(state, templates.manifest);
  const theirs = render(templates, {
    ...answers,
    integrations: wish.integrations ?? answers.integrations,
  });
  const once = render(service.templates, recordedAnswers(state, service.templates.manifest));
  const { base, unknown } = baseOf(state, [once, theirs, files]);
  const plan = planUpdate({
    ...inTeamStyle({ base, theirs, mine: files }, UNFORMATTED),
    unknown,
    mine: files,
    obstacles: new Map(),
    restore: new Set(),
    labels: { mine: "yours", theirs: `template ${templates.version}` },
    ...given,
  });
  return { service: { templates, files: applied(files, plan) }, plan };
}

/** The files after a plan. */
export function applied(files: DiskTree, plan: Plan): Map<string, DiskFile> {
  const result = new Map(files);
  for (const { path, after } of plan.changes) {
    if (after) {
      result.set(path, after);
    } else {
      result.delete(path);
    }
  }
  return result;
}

/** The integrations that a service says it has. */
export function integrationsOf({ files }: Service): string[] {
  return readState(files.get(STATE_FILE)?.bytes).answers["integrations"] as string[];
}

/** The service with one of its texts changed. */
export function edited(service: Service, path: string, change: (text: string) => string): Service {
  const file = service.files.get(path);
  const bytes = Buffer.from(change(textOf(service, path)));
  return {
    ...service,
    files: new Map(service.files).set(path, { bytes, mode: file?.mode ?? 0o644 }),
  };
}

export function textOf({ files }: Service, path: string): string {
  return Buffer.from(files.get(path)?.bytes ?? []).toString("utf8");
}
