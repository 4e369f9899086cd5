import { dirname, join, posix } from "node:path";

import { UserError } from "../errors.ts";
import type { FileSystem } from "../ports.ts";

const OWNER_MAY_WRITE = 0o200;

/** Whether a path stays in the service's folder, and out of git's, also in a folder further down. */
export function isAllowed(path: string): boolean {
  return !path.split("/").some(isForbidden) && !/[\\:\0]/.test(path);
}

// Windows drops dots and spaces at the end of a name, and also knows .git as git~1.
function isForbidden(part: string): boolean {
  return ["", ".", ".."].includes(part) || /^(?:\.git|git~\d+)[. ]*$/i.test(part);
}

function refuseOutside(path: string): void {
  if (!isAllowed(path)) {
    throw new UserError(
      "CANNOT_WRITE",
      `${JSON.stringify(path)} is not an allowed path of a service`,
      "check .fetch-service.json and .fetch-service/: one of them contains that path",
    );
  }
}

/** Refuses a place to which a write would go elsewhere, or which somebody made read-only. */
export async function refuseUnsafe(fs: FileSystem, root: string, path: string): Promise<void> {
  const last = await refuseElsewhere(fs, root, path);
  await refuseReadOnly(fs, root, path, last);
  if ((await fs.kindOf(join(root, path))) === "file") {
    await refuseReadOnly(fs, root, path, path);
  }
}

/** Refuses a place to which a write would go elsewhere, and returns the last folder that is there. */
export async function refuseElsewhere(fs: FileSystem, root: string, path: string): Promise<string> {
  refuseOutside(path);
  let last = ".";
  for (const folder of foldersAbove(path)) {
    const kind = await fs.kindOf(join(root, folder));
    if (kind === "nothing") {
      break;
    }
    if (kind !== "folder") {
      throw new UserError(
        "CANNOT_WRITE",
        `cannot write ${path}: ${folder} is ${kind === "link" ? "a link" : "not a folder"}`,
        `put a real folder in its place, and run the command again`,
      );
    }
    last = folder;
  }
  const kind = await fs.kindOf(join(root, path));
  if (kind !== "file" && kind !== "nothing") {
    throw new UserError(
      "CANNOT_WRITE",
      `cannot write ${path}: ${kind === "link" ? "it is a link" : "it is not a file"}`,
      "move it away, and run the command again",
    );
  }
  return last;
}

/** The folders above a path, from the outermost to the innermost. */
export function foldersAbove(path: string): string[] {
  const folder = posix.dirname(path);
  return folder === "." ? [] : [...foldersAbove(folder), folder];
}

// By its bits, not by trying: the rename that replaces a file asks its folder only, and root anything.
async function refuseReadOnly(
  fs: FileSystem,
  root: string,
  path: string,
  holder: string,
): Promise<void> {
  if (((await fs.modeOf(join(root, holder))) & OWNER_MAY_WRITE) === 0) {
    const what = holder === path ? "it" : holder === "." ? "the service's folder" : holder;
    throw new UserError(
      "CANNOT_WRITE",
      `cannot write ${path}: ${what} is read-only`,
      `chmod u+w ${holder}, and run the command again`,
    );
  }
}

/** Removes the folders above a path that have nothing in them, up to the service's own. */
export async function removeEmptyFolders(
  fs: FileSystem,
  root: string,
  path: string,
): Promise<void> {
  for (const folder of foldersAbove(path).toReversed()) {
    await fs.removeEmptyFolder(join(root, folder));
  }
}

/** The folder of a path, as the disk knows it. */
export function folderOf(root: string, path: string): string {
  return dirname(join(root, path));
}
