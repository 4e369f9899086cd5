import { type Drift, driftOf } from "../plan/drift.ts";
import type { DiskTree } from "../plan/plan.ts";
import { render } from "../plan/render.ts";
import type { Tree } from "../plan/tree.ts";
import type { Host } from "./host.ts";
import { readFiles, type Service } from "./open-service.ts";

/** A service beside what its own answers render to. */
export interface DriftReading {
  once: Tree;
  mine: DiskTree;
  drifts: Drift[];
}

/** Compares a service with its own answers' render. */
export async function readDrift(host: Host, service: Service): Promise<DriftReading> {
  const { templates, answers, state } = service;
  const rendered = render(templates, answers);
  const { base, files, obstacles } = await readFiles(host, service, rendered);
  // Where the templates of its version are lost, what is known of the files by their ids has to do.
  const once = templates.version === state.templateVersion ? rendered : base;
  return { once, mine: files, drifts: driftOf(once, files, obstacles) };
}
