import { readFile } from "node:fs/promises";
import { join } from "node:path";

import packageJson from "../../package.json" with { type: "json" };
import changelog from "../../templates/changelog.json" with { type: "json" };
import manifest from "../../templates/manifest.json" with { type: "json" };
import type { Archive } from "../catalog/archive.ts";
import type { ChangelogEntry } from "../catalog/changelog.ts";
import type { Templates } from "../catalog/templates.ts";
import type { FileSystem } from "../ports.ts";

// The bundle has its own version of this file, with the templates precompiled into it.

/** The names to choose from, unchecked, so that `--help` need not load the schema. */
export const catalogue = manifest;
export const version = packageJson.version;

/** The templates of this version. */
export async function builtInTemplates(fs: FileSystem): Promise<Templates> {
  const [{ loadTemplates }, { compileTemplate }] = await Promise.all([
    import("../catalog/templates.ts"),
    import("../plan/compile.ts"),
  ]);
  const root = join(import.meta.dirname, "../../templates");
  return await loadTemplates(fs, root, version, compileTemplate);
}

/** The templates of the versions before this one. */
export async function builtInArchive(): Promise<Archive> {
  const [{ readArchive }, { compileTemplate }] = await Promise.all([
    import("../catalog/archive.ts"),
    import("../plan/compile.ts"),
  ]);
  const path = join(import.meta.dirname, "../../templates-archive/templates.br");
  return readArchive(await readFile(path), compileTemplate);
}

/** What each version changed in the services that it writes. */
export async function builtInChangelog(): Promise<readonly ChangelogEntry[]> {
  return changelog;
}
