import { dirname, isAbsolute, join, relative, resolve } from "node:path";

import semver from "semver";

import { readBlobs } from "../apply/git.ts";
import { readService, type ServiceFiles } from "../apply/read-service.ts";
import { isBetweenStates, recover } from "../apply/recover.ts";
import type { Answers } from "../answers/schema.ts";
import { entryNamed, type PackageManager } from "../catalog/manifest.ts";
import type { Templates } from "../catalog/templates.ts";
import { UserError } from "../errors.ts";
import { type Base, baseOf, missingBlobs } from "../plan/base.ts";
import { equal } from "../plan/merge/three-way/encoding.ts";
import { readState, recordedAnswers, type State } from "../plan/read-state.ts";
import { rememberedOf, render } from "../plan/render.ts";
import { STATE_FILE } from "../plan/state.ts";
import type { Tree } from "../plan/tree.ts";
import type { Host } from "./host.ts";
import type { Report } from "./report.ts";

/** A service as a command finds it. */
export interface Service {
  root: string;
  /** Its folder as the user would type it. */
  directory: string;
  state: State;
  /** The state file as it was read. */
  recorded: Uint8Array | undefined;
  answers: Answers;
  packageManager: PackageManager;
  /** The templates of the version that the service has; of this one where those are lost. */
  templates: Templates;
}

/** Whether the templates that the service was made from are lost. */
export function areTemplatesLost({ templates, state }: Service): boolean {
  return templates.version !== state.templateVersion;
}

/** Finds the service's folder, and finishes or takes back what an earlier run left half-done. */
export async function findRoot(
  host: Host,
  report: Report,
  directory: string | undefined,
): Promise<string> {
  const root = directory === undefined ? await rootAbove(host) : resolve(host.cwd, directory);
  if ((await host.fs.kindOf(join(root, "."))) === "nothing") {
    const where = directory === undefined ? root : `--directory ${directory}`;
    throw new UserError("USAGE", `${where}: no such folder`, "name a service's folder");
  }
  const recovery = await recover(host.fs, host.processes, root);
  if (recovery) {
    report.recovered(recovery);
  }
  return root;
}

/** The service that the user is in, which may be in a folder of it; else the folder itself. */
async function rootAbove({ fs, cwd }: Host): Promise<string> {
  for (let above = cwd; ; above = dirname(above)) {
    if ((await fs.kindOf(join(above, STATE_FILE))) === "file") {
      return above;
    }
    if (dirname(above) === above) {
      return cwd;
    }
  }
}

/** Opens the service that a command is about. */
export async function openService(
  host: Host,
  report: Report,
  directory: string | undefined,
): Promise<Service> {
  return await serviceAt(host, await findRoot(host, report, directory));
}

/** The same for a command that keeps the service at its version, which takes its templates. */
export async function openWithTemplates(
  host: Host,
  report: Report,
  directory: string | undefined,
): Promise<Service> {
  const service = await openService(host, report, directory);
  if (areTemplatesLost(service)) {
    throw new UserError(
      "TEMPLATES_LOST",
      `this service was made with templates ${service.state.templateVersion}, which this release no longer contains`,
      "create-fetch-service update brings it to this version; then run the command again",
    );
  }
  return service;
}

/** The service in a folder that was found. */
export async function serviceAt(host: Host, root: string): Promise<Service> {
  const recorded = await readRecorded(host, root);
  const state = readState(recorded);
  const templates = await templatesOf(host, state.templateVersion);
  const answers = recordedAnswers(state, templates.manifest);
  return {
    root,
    directory: relative(host.cwd, root),
    state,
    recorded,
    answers,
    packageManager: entryNamed(templates.manifest.packageManagers, answers.packageManager),
    templates,
  };
}

/** What the template once wrote, what is on disk, and which files' original is lost. */
export interface Reading extends Base, ServiceFiles {}

/** Reads a service's files, and finds what the template once wrote in them. */
export async function readFiles(host: Host, service: Service, theirs: Tree): Promise<Reading> {
  const { root, state } = service;
  const once = render(service.templates, service.answers);
  const remembered = rememberedOf(service.templates, service.answers);
  const wanted = new Set([...state.files.keys(), ...once.keys(), ...theirs.keys()]);
  const found = await readWhole(host, service, wanted);
  const sources = [once, theirs, found.files];
  const blobs = await readBlobs(host.commands, root, missingBlobs(state, sources, remembered));
  return { ...found, ...baseOf(state, sources, blobs, remembered) };
}

/**
 * Reads a service's files as they were at one time.
 *
 * Files of another run that is at work would look like edits next to the old state. Such a run shows
 * itself by the changes that it is making or taking back, or by the state that it wrote: checked in
 * this order, one of them is always there.
 */
async function readWhole(
  host: Host,
  { root, recorded }: Service,
  wanted: ReadonlySet<string>,
): Promise<ServiceFiles> {
  const wasAtWork = await isBetweenStates(host.fs, root);
  const [read] = await Promise.allSettled([readService(host.fs, root, wanted)]);
  const isAtWork = await isBetweenStates(host.fs, root);
  const now = await readRecorded(host, root);
  if (wasAtWork || isAtWork || !now || !recorded || !equal(now, recorded)) {
    throw new UserError(
      "CHANGED_MEANWHILE",
      "the service was changed in the meantime, by another run or by git; nothing was written",
      "run the command again",
    );
  }
  if (read.status === "rejected") {
    throw read.reason;
  }
  return read.value;
}

async function readRecorded({ fs }: Host, root: string): Promise<Uint8Array | undefined> {
  const path = join(root, STATE_FILE);
  return (await fs.kindOf(path)) === "file" ? await fs.readFile(path) : undefined;
}

async function templatesOf(host: Host, version: string): Promise<Templates> {
  const current = await host.templates();
  if (version === current.version) {
    return current;
  }
  if (semver.gt(version, current.version)) {
    throw new UserError(
      "STATE_NEWER",
      `this service was made by version ${version}, which is newer than this one (${current.version})`,
      "use a newer create-fetch-service: npx create-fetch-service@latest",
    );
  }
  // Without them, the service's own files and git are the only sources of the originals.
  return (await host.archive()).templates(version) ?? current;
}

/**
 * A path that the user typed, as the plan has it: from the service's folder, with plain slashes. Typed
 * in a folder of the service, it starts there.
 */
export function servicePath({ cwd }: Host, { root }: Service, typed: string): string {
  const down = relative(root, cwd);
  const start = down.startsWith("..") || isAbsolute(down) ? root : cwd;
  return relative(root, resolve(start, typed.replaceAll("\\", "/"))).replaceAll("\\", "/") || ".";
}
