import type { Dirent } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

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
  modeOf: async (path) => fs.lstatSync(path).mode & 0o777,
  sizeOf: async (path) => fs.lstatSync(path).size,
  // One by one: Node's own way to make those above, too, says ENOENT for a read-only disk, and never ends below /proc.
  makeFolder: async (path) => {
    if (!fs.pathExistsSync(dirname(path))) {
      await disk.makeFolder(dirname(path));
    }
    try {
      fs.mkdirSync(path);
    } catch (error) {
      if (!fs.statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
        throw error;
      }
    }
  },
  makeUniqueFolder: async (prefix) => fs.mkdtempSync(prefix),
  writeFile: async (path, bytes, mode) => fs.writeFileSync(path, bytes, { mode }),
  writeDurably: async (path, bytes, mode) => fs.writeFileSync(path, bytes, { mode, flush: true }),
  setMode: async (path, mode) => fs.chmodSync(path, mode),
  copyOwner: async (from, to) => {
    if (process.getuid?.() === 0) {
      const { uid, gid } = fs.lstatSync(from);
      fs.lchownSync(to, uid, gid);
    }
  },
  syncFolder: async (folder) => {
    // Windows opens no folder, and has no need to.
    if (process.platform !== "win32") {
      const handle = fs.openSync(folder, "r");
      fs.fsyncSync(handle);
      fs.closeSync(handle);
    }
  },
  rename: async (from, to) => fs.renameSync(from, to),
  remove: async (path) => fs.removeSync(path),
  // Everybody may make a junction on Windows; elsewhere the type means nothing.
  linkFolder: async (folder, path) => fs.symlinkSync(folder, path, "junction"),
  removeEmptyFolder: async (folder) => {
    try {
      fs.rmdirSync(folder);
    } catch (error) {
      if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(systemCode(error))) {
        throw error;
      }
    }
  },
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
