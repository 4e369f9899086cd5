import { join, relative, resolve } from "node:path";

import semver from "semver";

import { readBlobs } from "../apply/git.ts";
import { readService, type ServiceFiles } from "../apply/read-service.ts";
import { recover } from "../apply/recover.ts";
import type { Answers } from "../answers/schema.ts";
import { entryNamed, type PackageManager } from "../catalog/manifest.ts";
import type { Templates } from "../catalog/templates.ts";
import { UserError } from "../errors.ts";
import { type Base, baseOf, missingBlobs } from "../plan/base.ts";
import { readState, recordedAnswers, type State } from "../plan/read-state.ts";
import { render } from "../plan/render.ts";
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
  answers: Answers;
  packageManager: PackageManager;
  /** The templates of the version that the service has. */
  templates: Templates;
}

/** Finds the service's folder, and puts right what a run before this one left half-done. */
export async function findRoot(
  host: Host,
  report: Report,
  directory: string | undefined,
): Promise<string> {
  const root = resolve(host.cwd, directory ?? ".");
  if ((await host.fs.kindOf(join(root, "."))) === "nothing") {
    throw new UserError("USAGE", `--directory ${directory}: there is no such folder`);
  }
  const recovery = await recover(host.fs, host.processes, root);
  if (recovery) {
    report.recovered(recovery);
  }
  return root;
}

/** Opens the service that a command is about. */
export async function openService(
  host: Host,
  report: Report,
  directory: string | undefined,
): Promise<Service> {
  const root = await findRoot(host, report, directory);
  const path = join(root, STATE_FILE);
  const state = readState(
    (await host.fs.kindOf(path)) === "file" ? await host.fs.readFile(path) : undefined,
  );
  const templates = await templatesOf(host, state.templateVersion);
  const answers = recordedAnswers(state, templates.manifest);
  return {
    root,
    directory: relative(host.cwd, root),
    state,
    answers,
    packageManager: entryNamed(templates.manifest.packageManagers, answers.packageManager),
    templates,
  };
}

/** What the template once wrote, what is there, and what of it nobody knows any more. */
export interface Reading extends Base, ServiceFiles {}

/** Reads a service's files, and finds what the template once wrote in them. */
export async function readFiles(host: Host, service: Service, theirs: Tree): Promise<Reading> {
  const { root, state } = service;
  const once = render(service.templates, service.answers);
  const wanted = new Set([...state.files.keys(), ...once.keys(), ...theirs.keys()]);
  const found = await readService(host.fs, root, wanted);
  const sources = [once, theirs, found.files];
  const blobs = await readBlobs(host.commands, root, missingBlobs(state, sources));
  return { ...found, ...baseOf(state, sources, blobs) };
}

async function templatesOf(host: Host, version: string): Promise<Templates> {
  const current = await host.templates();
  if (version === current.version) {
    return current;
  }
  if (semver.gt(version, current.version)) {
    throw new UserError(
      "STATE_NEWER",
      `the service is of version ${version}, and this is ${current.version}`,
      "use a newer create-fetch-service: npx create-fetch-service@latest",
    );
  }
  // Without them, the service's own files and git have to say what the template once wrote.
  return (await host.archive()).templates(version) ?? current;
}
