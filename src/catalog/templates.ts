import { join } from "node:path";

import type { FileSystem } from "../ports.ts";
import { type Manifest, parseManifest } from "./manifest.ts";

/** Turns a context into the text of a file. */
export type CompiledTemplate = (context: object) => string;

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
}

const MANIFEST = "manifest.json";

/** Reads a templates folder. */
export async function loadTemplates(
  fs: FileSystem,
  root: string,
  version: string,
  compile: (source: string) => CompiledTemplate,
): Promise<Templates> {
  const files = (await fs.filesUnder(root)).filter((path) => path !== MANIFEST);
  return {
    version,
    manifest: parseManifest(JSON.parse(text(await fs.readFile(join(root, MANIFEST))))),
    files: await Promise.all(
      files.map(async (path) => {
        const bytes = await fs.readFile(join(root, path));
        return {
          path,
          executable: await fs.isExecutable(join(root, path)),
          content: path.endsWith(".hbs") ? compile(text(bytes)) : bytes,
        };
      }),
    ),
  };
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
