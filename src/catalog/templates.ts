import { join } from "node:path";

import type { FileSystem } from "../ports.ts";
import { parseManifest } from "./manifest-schema.ts";
import type { Manifest } from "./manifest.ts";

/** What is left of a file: git's id of it, and the start of the one of its text without the formatting. */
export interface FileIds {
  blob: string;
  text: string;
}

/** Turns a context into the text of a file. */
export type CompiledTemplate = (context: object) => string;
export type Compile = (source: string) => CompiledTemplate;

export interface TemplateFile {
  /** Below templates/, as it is stored: `base/package.json.hbs`. */
  path: string;
  executable: boolean;
  /** Bytes are copied as they are. */
  content: Uint8Array | CompiledTemplate;
}

/** Everything that a render reads: one version of the catalogue and its files. */
export interface Templates {
  version: string;
  manifest: Manifest;
  files: readonly TemplateFile[];
  /** Files that an old version wrote as they are, and of which only ids are left. */
  remembered?: readonly (FileIds & { path: string; executable: boolean })[];
}

const MANIFEST = "manifest.json";

/** Reads a templates folder. */
export async function loadTemplates(
  fs: FileSystem,
  root: string,
  version: string,
  compile: Compile,
): Promise<Templates> {
  const manifest = parseManifest(JSON.parse(text(await fs.readFile(join(root, MANIFEST)))));
  const files = await loadFiles(fs, root, compile);
  // Files outside the layers' folders, such as the changelog, are not templates.
  return { version, manifest, files: files.filter(({ path }) => path.includes("/")) };
}

/** Reads all files of a folder as template files. */
export async function loadFiles(
  fs: FileSystem,
  root: string,
  compile: Compile,
): Promise<TemplateFile[]> {
  const paths = await fs.filesUnder(root);
  return await Promise.all(
    paths.map(async (path) => {
      const bytes = await fs.readFile(join(root, path));
      const executable = await fs.isExecutable(join(root, path));
      return { path, executable, content: path.endsWith(".hbs") ? compile(text(bytes)) : bytes };
    }),
  );
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
