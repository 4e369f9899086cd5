import { styleForTeam } from "../apply/team-style.ts";
import { type Drift, driftOf } from "../plan/drift.ts";
import type { DiskTree } from "../plan/plan.ts";
import { render } from "../plan/render.ts";
import type { Owner, Tree } from "../plan/tree.ts";
import type { Host } from "./host.ts";
import { areTemplatesLost, readFiles, type Service } from "./open-service.ts";

/** A service beside what its own answers render to. */
export interface DriftReading {
  /** What the template wrote, as far as that is known. */
  once: Tree;
  mine: DiskTree;
  drifts: Drift[];
  /** Files of the template's of which nobody knows any more what it wrote. */
  unknown: ReadonlyMap<string, Owner>;
}

/** Compares a service with its own answers' render. */
export async function readDrift(host: Host, service: Service): Promise<DriftReading> {
  const { templates, answers, state } = service;
  const rendered = render(templates, answers);
  const reading = await readFiles(host, service, rendered);
  const { files: mine, obstacles } = reading;
  // Where the templates are lost, the files that are known by their recorded ids have to do.
  const known = areTemplatesLost(service) ? reading.base : rendered;
  const trees = { base: known, theirs: new Map(), mine };
  const { base: once } = await styleForTeam(host, service.root, trees, (_, work) => work());
  if (!areTemplatesLost(service)) {
    return { once, mine, drifts: driftOf(once, mine, obstacles), unknown: new Map() };
  }
  const unknown = new Map(
    [...reading.unknown].map((path) => [path, state.files.get(path)?.owner ?? "merged"]),
  );
  return { once, mine, drifts: driftOf(once, mine, obstacles, unknown), unknown };
}
