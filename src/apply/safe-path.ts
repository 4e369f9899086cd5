import { dirname, join, posix } from "node:path";

import { UserError } from "../errors.ts";
import type { FileSystem } from "../ports.ts";

const OWNER_MAY_WRITE = 0o200;

/** Refuses a path that could leave the service's folder, or reach into git's. */
export function refuseOutside(path: string): void {
  const parts = path.split("/");
  const bad = parts.some((part) => ["", ".", ".."].includes(part)) || /[\\:\0]/.test(path);
  if (bad || parts[0]?.toLowerCase() === ".git") {
    throw new UserError(
      "CANNOT_WRITE",
      `${JSON.stringify(path)} is not an allowed path of a service`,
      "check .fetch-service.json and .fetch-service/: one of them contains that path",
    );
  }
}

/** Refuses a place to which a write would go elsewhere, or which somebody made read-only. */
export async function refuseUnsafe(fs: FileSystem, root: string, path: string): Promise<void> {
  refuseOutside(path);
  const folders = foldersAbove(path);
  let last = ".";
  for (const folder of folders) {
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
  await refuseReadOnly(fs, root, path, last);
  const kind = await fs.kindOf(join(root, path));
  if (kind === "file") {
    await refuseReadOnly(fs, root, path, path);
  } else if (kind !== "nothing") {
    throw new UserError(
      "CANNOT_WRITE",
      `cannot write ${path}: ${kind === "link" ? "it is a link" : "it is not a file"}`,
      "move it away, and run the command again",
    );
  }
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
