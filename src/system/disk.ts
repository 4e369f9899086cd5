import type { Dirent } from "node:fs";
import { join, relative, sep } from "node:path";

import fs from "fs-extra";

import { systemCode } from "../errors.ts";
import type { EntryKind, FileSystem } from "../ports.ts";

/**
 * The real disk. A service is a hundred small files; handing each to a thread takes three times the
 * CPU of writing it here and now.
 */
export const disk: FileSystem = {
  kindOf: async (path) => {
    try {
      return kindOf(fs.lstatSync(path));
    } catch (error) {
      // Below a file there is nothing either.
      if (["ENOENT", "ENOTDIR"].includes(systemCode(error))) {
        return "nothing";
      }
      throw error;
    }
  },
  namesIn: async (folder) => fs.readdirSync(folder),
  filesUnder: async (folder) => {
    const entries: Dirent[] = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
      .sort();
  },
  readFile: async (path) => fs.readFileSync(path),
  isExecutable: async (path) => (fs.statSync(path).mode & 0o111) !== 0,
  makeFolder: async (path) => fs.ensureDirSync(path),
  makeUniqueFolder: async (prefix) => fs.mkdtempSync(prefix),
  writeFile: async (path, bytes, mode) => fs.writeFileSync(path, bytes, { mode }),
  rename: async (from, to) => fs.renameSync(from, to),
  remove: async (path) => fs.removeSync(path),
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
