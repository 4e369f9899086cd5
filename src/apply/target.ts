import { basename, dirname, join, relative, resolve } from "node:path";

import { UserError } from "../errors.ts";
import type { FileSystem } from "../ports.ts";

/** Where a new service goes. */
export interface Target {
  folder: string;
  /** An existing folder on the same disk, in which the tree is staged. */
  parent: string;
  /** What will appear in the parent: the service's folder, or the first missing one above it. */
  appears: string;
}

/** Finds the folder for a new service, and refuses one that is already in use. */
export async function findTarget(fs: FileSystem, cwd: string, directory: string): Promise<Target> {
  const folder = resolve(cwd, directory);
  if (!relative(folder, cwd).startsWith("..")) {
    throw new UserError(
      "TARGET_TAKEN",
      `${directory} is the folder you are in, or one above it`,
      "run it from the folder that should hold the service",
    );
  }
  await refuseTaken(fs, folder);
  let appears = folder;
  while ((await fs.kindOf(dirname(appears))) === "nothing" && dirname(appears) !== appears) {
    appears = dirname(appears);
  }
  await refuseNoFolder(fs, dirname(appears));
  return { folder, appears, parent: dirname(appears) };
}

async function refuseTaken(fs: FileSystem, folder: string): Promise<void> {
  const kind = await fs.kindOf(folder);
  const empty = kind === "folder" && (await fs.namesIn(folder)).length === 0;
  if (kind !== "nothing" && !empty) {
    const what = {
      folder: "a folder that is not empty",
      file: "a file",
      link: "a link to somewhere else",
      other: "not a folder",
    }[kind];
    throw new UserError(
      "TARGET_TAKEN",
      `${folder} is ${what}`,
      "pick another name, or another place with --directory",
    );
  }
}

async function refuseNoFolder(fs: FileSystem, parent: string): Promise<void> {
  const kind = await fs.kindOf(parent);
  // A link to a folder is fine above the target: the user named it.
  if (kind !== "folder" && kind !== "link") {
    throw new UserError(
      "TARGET_TAKEN",
      `${parent} is not a folder, so nothing can be made in it`,
      "pick another place with --directory",
    );
  }
}

/** Where a file of the service is written while the service is staged in this folder. */
export function stagedPath(target: Target, staged: string, path: string): string {
  return join(staged, target.folder.slice(target.appears.length), path);
}

/** What the staging folder's name starts with: hidden, next to the target, and ours at a glance. */
export function stagingPrefix(target: Target): string {
  return join(target.parent, `.${basename(target.appears)}.creating-`);
}
