import { basename, dirname, join, relative, resolve } from "node:path";

import { UserError } from "../errors.ts";
import type { FileSystem } from "../ports.ts";

/** Where a new service goes. */
export interface Place {
  target: string;
  /** An existing folder on the same disk, in which the tree is staged. */
  parent: string;
  /** What will appear in the parent: the target, or the first missing folder above it. */
  appears: string;
}

/** Finds the place for a new service, and refuses one where something is already. */
export async function findPlace(fs: FileSystem, cwd: string, directory: string): Promise<Place> {
  const target = resolve(cwd, directory);
  if (!relative(target, cwd).startsWith("..")) {
    throw new UserError(
      "TARGET_TAKEN",
      `${directory} is the folder you are in, or one above it`,
      "run it from the folder that shall hold the service",
    );
  }
  await refuseTaken(fs, target);
  let appears = target;
  while ((await fs.kindOf(dirname(appears))) === "nothing" && dirname(appears) !== appears) {
    appears = dirname(appears);
  }
  await refuseNoFolder(fs, dirname(appears));
  return { target, appears, parent: dirname(appears) };
}

async function refuseTaken(fs: FileSystem, target: string): Promise<void> {
  const kind = await fs.kindOf(target);
  const empty = kind === "folder" && (await fs.namesIn(target)).length === 0;
  if (kind !== "nothing" && !empty) {
    const what = {
      folder: "a folder that is not empty",
      file: "a file",
      link: "a link to somewhere else",
      other: "something that is no folder",
    }[kind];
    throw new UserError(
      "TARGET_TAKEN",
      `${target} is ${what}`,
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
export function stagedPath(place: Place, staged: string, path: string): string {
  return join(staged, place.target.slice(place.appears.length), path);
}

/** What the staging folder's name starts with: hidden, beside the target, and ours at a glance. */
export function stagingPrefix(place: Place): string {
  return join(place.parent, `.${basename(place.appears)}.creating-`);
}
