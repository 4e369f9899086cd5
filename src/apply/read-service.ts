import { join, posix } from "node:path";

import { systemCode } from "../errors.ts";
import type { Obstacle } from "../plan/merge-context.ts";
import type { DiskFile } from "../plan/plan.ts";
import type { FileSystem } from "../ports.ts";
import { explainDisk } from "./explain.ts";
import { foldersAbove } from "./safe-path.ts";

/** What lies in a service's folder. */
export interface ServiceFiles {
  files: Map<string, DiskFile>;
  /** Links and the like, and folders where a file is wanted. */
  obstacles: Map<string, Obstacle>;
}

// Made by tools, and large. Hidden folders are other programs' own, unless the template has one.
const SKIPPED = new Set(["node_modules", "dist", "coverage"]);
const LARGEST = 1_000_000;

/**
 * Reads a service's files: all that are wanted, and all others that somebody may have written.
 * @throws {UserError} for what is wanted and cannot be read; all else that cannot be is left out.
 */
export async function readService(
  fs: FileSystem,
  root: string,
  wanted: ReadonlySet<string>,
): Promise<ServiceFiles> {
  const found: ServiceFiles = { files: new Map(), obstacles: new Map() };
  const wantedFolders = new Set([...wanted].flatMap(foldersAbove));
  const isWanted = (path: string) => wanted.has(path) || wantedFolders.has(path);
  const visit = async (path: string): Promise<void> => {
    const kind = await fs.kindOf(join(root, path));
    if (kind === "file") {
      if (wanted.has(path) || (await fs.sizeOf(join(root, path))) <= LARGEST) {
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
      const path = posix.join(folder, name);
      await visit(path).catch((error: unknown) => {
        refuseUnreadable(error, path, isWanted(path));
      });
    }
  };
  await visitAll("");
  return found;
}

/** Others work here too: a file may go while we look, and a database's folder be for it alone. */
function refuseUnreadable(error: unknown, path: string, isWanted: boolean): void {
  const isGone = systemCode(error) === "ENOENT";
  const isClosed = ["EACCES", "EPERM"].includes(systemCode(error));
  if (!(isGone || (isClosed && !isWanted))) {
    throw explainDisk(error, { where: path, advice: "and run the command again", verb: "read" });
  }
}

async function readFile(fs: FileSystem, path: string): Promise<DiskFile> {
  return { bytes: await fs.readFile(path), mode: await fs.modeOf(path) };
}
