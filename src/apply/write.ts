import { dirname, join } from "node:path";

import type { Tree } from "../plan/tree.ts";
import type { FileSystem } from "../ports.ts";
import { explainDisk } from "./explain.ts";
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
    throw explainDisk(error, {
      where: place.target,
      advice: "or pick another place with --directory",
    });
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
