import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";

import { InternalError } from "../errors.ts";
import { parseManifest } from "./manifest-schema.ts";
import type { Compile, FileIds, Templates } from "./templates.ts";

/** One version's templates as they are stored, before anything is parsed or compiled. */
export interface RawTemplates {
  version: string;
  manifest: unknown;
  files: readonly { path: string; executable: boolean; bytes: Uint8Array }[];
}

/** The templates of older versions. */
export interface Archive {
  versions: string[];
  /** Undefined for a version that is not in it. */
  templates(version: string): Templates | undefined;
}

/** What the archive is, below its compression. Versions share the files that are the same. */
export interface Stored {
  format: 1;
  blobs: Blob[];
  versions: Record<string, { manifest: unknown; files: StoredFile[] }>;
}

/** A text, bytes that are none in base64, or what is left of a text that no command needs any longer. */
export type Blob = string | { base64: string } | FileIds;

type StoredFile = [path: string, blob: number, executable?: true];

/** Opens an archive. Its templates are compiled when they are first used. */
export function readArchive(bytes: Uint8Array, compile: Compile): Archive {
  return openArchive(unpack(bytes), compile);
}

/** The same for an archive that is no longer compressed. */
export function openArchive({ blobs, versions }: Stored, compile: Compile): Archive {
  return {
    versions: Object.keys(versions),
    templates: (version) => {
      const stored = versions[version];
      return (
        stored && {
          version,
          manifest: parseManifest(stored.manifest),
          files: stored.files.flatMap(([path, index, executable = false]) => {
            if (isIds(blobs[index])) {
              return [];
            }
            const content = bytesOf(blobs, index);
            const rendered = path.endsWith(".hbs");
            return { path, executable, content: rendered ? compile(content.toString()) : content };
          }),
          remembered: stored.files.flatMap(([path, index, executable = false]) => {
            const blob = blobs[index];
            return isIds(blob) ? { path, executable, ...blob } : [];
          }),
        }
      );
    },
  };
}

/** The archive with this version added or replaced. */
export function addToArchive(bytes: Uint8Array | undefined, added: RawTemplates): Uint8Array {
  const all = [...(bytes ? rawVersions(bytes) : []), added].reduce(
    (byVersion, raw) => byVersion.set(raw.version, raw),
    new Map<string, RawTemplates>(),
  );
  return pack([...all.values()]);
}

/** Every version of an archive as it is stored. */
export function rawVersions(bytes: Uint8Array): RawTemplates[] {
  const { blobs, versions } = unpack(bytes);
  return Object.entries(versions).map(([version, { manifest, files }]) => ({
    version,
    manifest,
    files: files.map(([path, index, executable = false]) => ({
      path,
      executable,
      bytes: bytesOf(blobs, index),
    })),
  }));
}

function pack(versions: readonly RawTemplates[]): Uint8Array {
  const indexes = new Map<string, number>();
  const stored: Stored = { format: 1, blobs: [], versions: {} };
  for (const { version, manifest, files } of versions) {
    const entries = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
    stored.versions[version] = {
      manifest,
      files: entries.map(({ path, executable, bytes }) => {
        const key = Buffer.from(bytes).toString("latin1");
        const index = indexes.get(key) ?? stored.blobs.push(blobOf(Buffer.from(bytes))) - 1;
        indexes.set(key, index);
        return executable ? [path, index, true] : [path, index];
      }),
    };
  }
  const json = Buffer.from(JSON.stringify(stored));
  return brotliCompressSync(json, {
    params: {
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: json.length,
    },
  });
}

/** What is in an archive, without its compression. */
export function unpack(bytes: Uint8Array): Stored {
  try {
    return JSON.parse(brotliDecompressSync(bytes).toString("utf8")) as Stored;
  } catch (error) {
    throw new InternalError("the archive of old templates cannot be read", error);
  }
}

function blobOf(bytes: Buffer): Stored["blobs"][number] {
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? text : { base64: bytes.toString("base64") };
}

function isIds(blob: Blob | undefined): blob is FileIds {
  return typeof blob === "object" && "blob" in blob;
}

function bytesOf(blobs: Stored["blobs"], index: number): Buffer {
  const blob = blobs[index];
  if (blob === undefined || isIds(blob)) {
    throw new InternalError(`the archive of old templates has no bytes of blob ${index}`);
  }
  return typeof blob === "string" ? Buffer.from(blob) : Buffer.from(blob.base64, "base64");
}
