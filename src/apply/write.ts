import { dirname, join } from "node:path";

import { systemCode, UserError } from "../errors.ts";
import type { Tree } from "../plan/tree.ts";
import type { FileSystem } from "../ports.ts";
import { type Place, stagedPath, stagingPrefix } from "./place.ts";

/**
 * Writes a new service: whole, by one rename, or not at all. Whatever fails or interrupts it before
 * the rename, nothing is left behind.
 */
export async function writeTree(
  fs: FileSystem,
  place: Place,
  tree: Tree,
  signal: AbortSignal,
): Promise<void> {
  let staging: string | undefined;
  try {
    staging = await fs.makeUniqueFolder(stagingPrefix(place));
    // Unique folders are private to the user; the service's own folder gets the usual rights.
    const staged = join(staging, "service");
    await stage(fs, place, staged, tree, signal);
    await fs.rename(staged, place.appears);
  } catch (error) {
    throw explain(error, place);
  } finally {
    if (staging) {
      await removeStaging(fs, staging);
    }
  }
}

async function stage(
  fs: FileSystem,
  place: Place,
  staged: string,
  tree: Tree,
  signal: AbortSignal,
): Promise<void> {
  const folders = new Set<string>();
  for (const [path, file] of tree) {
    signal.throwIfAborted();
    const target = stagedPath(place, staged, path);
    if (!folders.has(dirname(target))) {
      folders.add(dirname(target));
      await fs.makeFolder(dirname(target));
    }
    await fs.writeFile(target, file.bytes, file.mode);
  }
  signal.throwIfAborted();
}

// The second try is for Windows, where a virus scanner may hold a new file open for a moment.
async function removeStaging(fs: FileSystem, staging: string): Promise<void> {
  await fs.remove(staging).catch(async () => await fs.remove(staging).catch(() => undefined));
}

const EXPLANATIONS: Record<string, [what: string, hint: string]> = {
  EACCES: ["you may not write there", "pick another place with --directory"],
  EPERM: ["you may not write there", "pick another place with --directory"],
  EROFS: ["that disk is read-only", "pick another place with --directory"],
  ENOSPC: ["the disk is full", "free some space, or pick another place with --directory"],
  EDQUOT: ["your disk quota is used up", "free some space, or pick another place"],
  ENAMETOOLONG: ["the path is too long", "pick a shorter one with --directory"],
  ENOTEMPTY: ["something appeared there meanwhile", "pick another name"],
  EEXIST: ["something appeared there meanwhile", "pick another name"],
  ENOTDIR: ["something on the way is no folder", "pick another place with --directory"],
};

function explain(error: unknown, place: Place): unknown {
  const explanation = EXPLANATIONS[systemCode(error)];
  if (error instanceof UserError || !explanation) {
    return error;
  }
  const [what, hint] = explanation;
  return new UserError("CANNOT_WRITE", `cannot write ${place.target}: ${what}`, hint);
}
