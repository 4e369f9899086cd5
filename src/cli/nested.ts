import { relative, sep } from "node:path";

import type { Workspace } from "../apply/workspace.ts";
import { type Accepted, withAccepted } from "../plan/accepted.ts";
import { STATE_FILE } from "../plan/state.ts";
import type { Tree, TreeFile } from "../plan/tree.ts";

/** What a new service is made inside of. */
export interface Surroundings {
  /** The folder of the repository around it. */
  repository: string | undefined;
  workspace: Workspace | undefined;
}

/** A tree that fits into its surroundings, and what the user should know and do about that. */
export interface NestedTree {
  tree: Tree;
  notes: string[];
  steps: string[];
  /** An install fails before the first of the steps is done. */
  installLater: boolean;
}

const PROPOSAL = "for-the-repository";
const ONLY_AT_ROOT = "GitHub reads it at the repository's root only";
const ONE_WORKSPACE = "the workspace around it has one";

/**
 * Takes out of a tree what has no effect below a repository's root, or breaks the workspace around it.
 * What is left out is recorded as accepted, so that it is not missed later.
 */
export async function nest(
  tree: Tree,
  name: string,
  folder: string,
  { repository, workspace }: Surroundings,
): Promise<NestedTree> {
  const files = new Map(tree);
  const accepted = new Map<string, Accepted>();
  const notes: string[] = [];
  const steps: string[] = [];
  let installLater = false;
  const leaveOut = (path: string, reason: string) => {
    files.delete(path);
    accepted.set(path, { reason });
  };
  if (repository !== undefined) {
    const where = pathBetween(repository, folder);
    for (const [path, file] of tree) {
      if (path.startsWith(".github/")) {
        leaveOut(path, ONLY_AT_ROOT);
        const [to, text] = proposalFor(path, file, name, where);
        files.set(`${PROPOSAL}/${to}`, { ...file, bytes: Buffer.from(text), owner: "once" });
      }
    }
    if (accepted.size > 0) {
      steps.push(`merge ${PROPOSAL}/ into ${pathBetween(folder, repository)}/, then delete it`);
      notes.push(`what GitHub reads at the repository's root only is proposed in ${PROPOSAL}/`);
    }
  }
  if (workspace) {
    const above = pathBetween(folder, workspace.folder);
    notes.push(
      `it belongs to the workspace in ${above}, whose lockfile is there: CI installs there, and the ` +
        `image is built from there, so the Dockerfile has to copy that lockfile and ${workspace.file}`,
    );
    const { settings } = workspace;
    const own = settings && tree.get(settings.file);
    if (own) {
      leaveOut(settings.file, ONE_WORKSPACE);
      const missing = missingSettings(await parseYaml(own), settings.values);
      installLater = missing.length > 0;
      steps.push(...missing.map((setting) => `add to ${above}/${settings.file}: ${setting}`));
    }
  }
  const state = files.get(STATE_FILE);
  if (state && accepted.size > 0) {
    files.set(STATE_FILE, { ...state, bytes: withAccepted(state.bytes, accepted) });
  }
  return { tree: files, notes, steps, installLater };
}

async function parseYaml({ bytes }: TreeFile): Promise<Record<string, unknown>> {
  const { parse } = await import("yaml");
  return Object(parse(Buffer.from(bytes).toString("utf8")));
}

/** What a service cannot be installed without and the workspace around it does not say, as YAML. */
function missingSettings(
  { allowBuilds, nodeLinker }: Record<string, unknown>,
  theirs: Record<string, unknown>,
): string[] {
  const builds = Object.entries(Object(allowBuilds))
    .filter(([name]) => !Object.hasOwn(Object(theirs["allowBuilds"]), name))
    .map(([name, allowed]) => `${JSON.stringify(name)}: ${String(allowed)}`);
  // Yarn's other linker makes a node_modules, too.
  const linked = [nodeLinker, "pnpm"].includes(theirs["nodeLinker"]);
  return [
    ...(builds.length > 0 ? [`allowBuilds: { ${builds.join(", ")} }`] : []),
    ...(typeof nodeLinker === "string" && !linked ? [`nodeLinker: ${nodeLinker}`] : []),
  ];
}

/** A file of .github as it would stand at the repository's root. */
function proposalFor(
  path: string,
  { bytes }: TreeFile,
  name: string,
  where: string,
): [path: string, text: string] {
  const text = Buffer.from(bytes).toString("utf8");
  const workflow = /^\.github\/workflows\/(.+)$/.exec(path)?.[1];
  if (workflow !== undefined) {
    const defaults = `defaults:\n  run:\n    working-directory: ${JSON.stringify(where)}\n\njobs:`;
    return [`.github/workflows/${name}-${workflow}`, text.replace(/^jobs:$/m, defaults)];
  }
  return path === ".github/CODEOWNERS"
    ? [path, text.replaceAll(/^\* /gm, `/${where}/ `)]
    : [path, text];
}

function pathBetween(from: string, to: string): string {
  return relative(from, to).split(sep).join("/");
}
