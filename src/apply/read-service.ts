import { join, posix } from "node:path";

import type { DiskFile } from "../plan/plan.ts";
import type { Obstacle } from "../plan/update.ts";
import type { FileSystem } from "../ports.ts";

/** What lies in a service's folder. */
export interface ServiceFiles {
  files: Map<string, DiskFile>;
  /** Links and the like, and folders where a file is wanted. */
  obstacles: Map<string, Obstacle>;
}

// Made by tools, and large. Hidden folders are other programs' own, unless the template has one.
const SKIPPED = new Set(["node_modules", "dist", "coverage"]);
const LARGEST = 1_000_000;

/** Reads a service's files: all that are wanted, and all others that somebody may have written. */
export async function readService(
  fs: FileSystem,
  root: string,
  wanted: ReadonlySet<string>,
): Promise<ServiceFiles> {
  const found: ServiceFiles = { files: new Map(), obstacles: new Map() };
  const wantedFolders = new Set([...wanted].flatMap(foldersAbove));
  const visit = async (path: string): Promise<void> => {
    const kind = await fs.kindOf(join(root, path));
    if (kind === "file") {
      const size = await fs.sizeOf(join(root, path));
      if (wanted.has(path) || size <= LARGEST) {
        found.files.set(path, await readFile(fs, join(root, path)));
      }
    } else if (kind === "folder") {
      if (wanted.has(path)) {
        found.obstacles.set(path, "folder");
      }
      const name = posix.basename(path);
      if (wantedFolders.has(path) || !(SKIPPED.has(name) || name.startsWith("."))) {
        await visitAll(path);
      }
    } else if (kind !== "nothing") {
      found.obstacles.set(path, kind);
    }
  };
  const visitAll = async (folder: string) => {
    for (const name of (await fs.namesIn(join(root, folder))).sort()) {
      await visit(posix.join(folder, name));
    }
  };
  await visitAll("");
  return found;
}

async function readFile(fs: FileSystem, path: string): Promise<DiskFile> {
  return { bytes: await fs.readFile(path), mode: await fs.modeOf(path) };
}

function foldersAbove(path: string): string[] {
  const folder = posix.dirname(path);
  return folder === "." ? [] : [...foldersAbove(folder), folder];
}
