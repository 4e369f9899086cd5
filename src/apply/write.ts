import { dirname, join } from "node:path";

import type { Tree } from "../plan/tree.ts";
import type { FileSystem } from "../ports.ts";
import { explainDisk } from "./explain.ts";
import { type Target, stagedPath, stagingPrefix } from "./target.ts";

/**
 * Writes a new service: whole, by one rename, or not at all. Whatever fails or interrupts it before
 * the rename, nothing is left behind.
 */
export async function writeTree(
  fs: FileSystem,
  target: Target,
  tree: Tree,
  signal: AbortSignal,
): Promise<void> {
  let staging: string | undefined;
  try {
    staging = await fs.makeUniqueFolder(stagingPrefix(target));
    // Unique folders are private to the user; the service's own folder gets the usual rights.
    const staged = join(staging, "service");
    await stage(fs, target, staged, tree, signal);
    await fs.rename(staged, target.appears);
  } catch (error) {
    throw explainDisk(error, {
      where: target.folder,
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
  target: Target,
  staged: string,
  tree: Tree,
  signal: AbortSignal,
): Promise<void> {
  const folders = new Set<string>();
  for (const [path, { bytes, mode }] of tree) {
    signal.throwIfAborted();
    const file = stagedPath(target, staged, path);
    if (!folders.has(dirname(file))) {
      folders.add(dirname(file));
      await fs.makeFolder(dirname(file));
    }
    await fs.writeFile(file, bytes, mode);
  }
  signal.throwIfAborted();
}

// The second try is for Windows, where a virus scanner may hold a new file open for a moment.
async function removeStaging(fs: FileSystem, staging: string): Promise<void> {
  await fs.remove(staging).catch(async () => await fs.remove(staging).catch(() => undefined));
}
