import type { Dirent } from "node:fs";
import { join, relative, sep } from "node:path";

import fs from "fs-extra";

import { systemCode } from "../errors.ts";
import type { EntryKind, FileSystem } from "../ports.ts";

/** The real disk. */
export const disk: FileSystem = {
  kindOf: async (path) => {
    try {
      return kindOf(await fs.lstat(path));
    } catch (error) {
      // A name that cannot exist is as free as one that does not; writing to it says what is wrong.
      if (["ENOENT", "ENOTDIR"].includes(systemCode(error))) {
        return "nothing";
      }
      throw error;
    }
  },
  namesIn: (folder) => fs.readdir(folder),
  filesUnder: async (folder) => {
    const entries: Dirent[] = await fs.readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
      .sort();
  },
  readFile: (path) => fs.readFile(path),
  isExecutable: async (path) => ((await fs.stat(path)).mode & 0o111) !== 0,
  makeFolder: (path) => fs.ensureDir(path),
  makeUniqueFolder: (prefix) => fs.mkdtemp(prefix),
  writeFile: (path, bytes, mode) => fs.writeFile(path, bytes, { mode }),
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.remove(path),
};

function kindOf(stats: {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}): EntryKind {
  if (stats.isSymbolicLink()) {
    return "link";
  }
  if (stats.isDirectory()) {
    return "folder";
  }
  return stats.isFile() ? "file" : "other";
}
