import { readFileSync } from "node:fs";
import { join } from "node:path";

import packageJson from "../../package.json" with { type: "json" };
import changelog from "../../templates/changelog.json" with { type: "json" };
import manifest from "../../templates/manifest.json" with { type: "json" };
import type { Archive } from "../catalog/archive.ts";
import type { ChangelogEntry } from "../catalog/changelog.ts";
import type { Templates } from "../catalog/templates.ts";
import type { FileSystem } from "../ports.ts";
import { disk } from "../system/disk.ts";

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
  const [{ openArchive, unpack }, { compileTemplate }, { forgetDropped }] = await Promise.all([
    import("../catalog/archive.ts"),
    import("../plan/compile.ts"),
    import("../plan/forget.ts"),
  ]);
  const root = join(import.meta.dirname, "../..");
  const paths = (await disk.filesUnder(join(root, "templates"))).filter((path) =>
    path.includes("/"),
  );
  const current = paths.map((path) => ({
    path,
    source: readFileSync(join(root, "templates", path)),
  }));
  const archive = unpack(readFileSync(join(root, "templates-archive/templates.br")));
  return openArchive(forgetDropped(archive, current), compileTemplate);
}

/** What each version changed in the services that it writes. */
export async function builtInChangelog(): Promise<readonly ChangelogEntry[]> {
  return changelog;
}
