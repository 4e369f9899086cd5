import { basename, dirname, join, relative, resolve } from "node:path";

import { UserError } from "../errors.ts";
import type { FileSystem } from "../ports.ts";

/** Where a new service goes. */
export interface Target {
  folder: string;
  /** It is there already, and holds no more than a new repository does. */
  exists: boolean;
  /** An existing folder on the same disk, in which the tree is staged. */
  parent: string;
  /** What will appear in the parent: the service's folder, or the first missing one above it. */
  appears: string;
}

// What a repository has on the day it is made, and what systems leave everywhere.
const HARMLESS =
  /^(?:\.git|\.gitignore|\.gitattributes|\.DS_Store|Thumbs\.db|readme(?:\.md)?|licen[cs]e(?:\.md|\.txt)?)$/i;

/** Finds the folder for a new service, and refuses one that is already in use. */
export async function findTarget(fs: FileSystem, cwd: string, directory: string): Promise<Target> {
  const folder = resolve(cwd, directory);
  const down = relative(folder, cwd);
  if (down !== "" && !down.startsWith("..")) {
    throw new UserError(
      "TARGET_TAKEN",
      `${directory} is a folder above the one you are in`,
      "run it from the folder that should hold the service",
    );
  }
  const entries = await entriesOf(fs, folder);
  let appears = folder;
  while ((await fs.kindOf(dirname(appears))) === "nothing" && dirname(appears) !== appears) {
    appears = dirname(appears);
  }
  await refuseNoFolder(fs, dirname(appears));
  // An empty folder is replaced, unless somebody is in it.
  const exists = entries.length > 0 || down === "";
  return { folder, exists, appears, parent: dirname(appears) };
}

/** What is in the folder. Refuses everything but a folder that is as good as empty. */
async function entriesOf(fs: FileSystem, folder: string): Promise<string[]> {
  const kind = await fs.kindOf(folder);
  const entries = kind === "folder" ? await fs.namesIn(folder) : [];
  const strangers = entries.filter((name) => !HARMLESS.test(name));
  if (kind === "nothing" || (kind === "folder" && strangers.length === 0)) {
    return entries;
  }
  const what = {
    folder: `not empty: it holds ${strangers.sort().slice(0, 3).join(", ")}${strangers.length > 3 ? " and more" : ""}`,
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
