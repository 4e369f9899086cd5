import { posix } from "node:path";

import type { Blob, Stored } from "../catalog/archive.ts";
import type { FileIds } from "../catalog/templates.ts";
import { blobId } from "./blob-id.ts";
import { idApartFromFormatting } from "./formatting.ts";
import { joinOf } from "./merge/layers.ts";
import { linesOf, similarity } from "./moves.ts";
import { targetPath } from "./render.ts";

/** A template of the current version: where it goes, and its source. */
export interface Current {
  path: string;
  source: Uint8Array;
}

/** Those that every service has, whatever is added to it later. */
const EVERYWHERE = /^(?:base|framework\/[^/]+|package-manager\/[^/]+)\//;

// Well below the likeness that makes the new file of two the old one's successor, to which edits move.
const UNRELATED = 0.35;

/**
 * An archive without the texts that only an unedited file could be compared with. That is so for files that every
 * service of their version has and the current version does not write, here or elsewhere: commands only ask whether the
 * team has edited them, for which ids are enough. An edited file's original is in the team's git.
 */
export function forgetDropped(archive: Stored, current: readonly Current[]): Stored {
  const paths = new Set(current.map(({ path }) => targetPath(path)));
  const lines = current.map(({ path, source }) => ({
    type: posix.extname(targetPath(path)),
    lines: linesOf(source),
  }));
  const isDropped = (path: string, text: string) => {
    const type = posix.extname(path);
    const target = targetPath(path);
    // What becomes a part of other files is still to be read.
    const isPart = joinOf(target) !== undefined || target.startsWith("slots/");
    const own = linesOf(Buffer.from(text));
    return (
      EVERYWHERE.test(path) &&
      type !== ".hbs" &&
      !isPart &&
      !paths.has(target) &&
      !lines.some((file) => file.type === type && similarity(own, file.lines) >= UNRELATED)
    );
  };
  const users = Object.values(archive.versions).flatMap(({ files }) => files);
  const blobs = archive.blobs.map((blob, index): Blob => {
    const [path = "", ...others] = users.filter((file) => file[1] === index).map(([name]) => name);
    const sameType = others.every((other) => posix.extname(other) === posix.extname(path));
    if (typeof blob !== "string" || !sameType) {
      return blob;
    }
    const dropped = [path, ...others].every((user) => isDropped(user, blob));
    return dropped ? idsOf(path, Buffer.from(blob)) : blob;
  });
  return { ...archive, blobs };
}

function idsOf(path: string, bytes: Buffer): FileIds {
  return { blob: blobId(bytes), text: idApartFromFormatting(path, bytes).slice(0, 16) };
}
