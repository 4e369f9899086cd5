import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { type Archive, type RawTemplates, readArchive } from "../../src/catalog/archive.ts";
import type { Templates } from "../../src/catalog/templates.ts";
import { blobId } from "../../src/plan/blob-id.ts";
import { compileTemplate } from "../../src/plan/compile.ts";
import { render } from "../../src/plan/render.ts";
import type { Tree } from "../../src/plan/tree.ts";
import { disk } from "../../src/system/disk.ts";
import { allVariants, titleOf } from "./templates.ts";

const FOLDER = join(import.meta.dirname, "../../templates-archive");

/** The templates of older versions, compressed. */
export const ARCHIVE = join(FOLDER, "templates.br");

/** Those templates, with every file: what a command opens has only ids of some. */
export function wholeArchive(): Archive {
  return readArchive(readFileSync(ARCHIVE), compileTemplate);
}

/** For each of those versions, the ids of all trees that it renders. */
export const TREE_IDS = join(FOLDER, "trees.json");

/** The recorded ids by version and by the title of the answers. */
export function recordedTreeIds(): Record<string, Record<string, string>> {
  return existsSync(TREE_IDS) ? JSON.parse(readFileSync(TREE_IDS, "utf8")) : {};
}

/** The ids of all trees that these templates render. */
export function treeIds(templates: Templates): Record<string, string> {
  return Object.fromEntries(
    allVariants(templates.manifest).map((answers) => [
      titleOf(answers),
      treeId(render(templates, answers)),
    ]),
  );
}

/** One id for every path, mode and byte of a tree. */
function treeId(tree: Tree): string {
  const lines = [...tree].map(
    ([path, { bytes, mode }]) => `${mode.toString(8)} ${blobId(bytes)} ${path}\n`,
  );
  return blobId(Buffer.from(lines.join("")));
}

/** The templates of a folder as they are stored in the archive. */
export async function rawTemplates(root: string, version: string): Promise<RawTemplates> {
  const paths = await disk.filesUnder(root);
  const files = await Promise.all(
    // Files beside the folders, such as the changelog, are about all versions and no templates.
    paths
      .filter((path) => path.includes("/"))
      .map(async (path) => ({
        path,
        executable: await disk.isExecutable(join(root, path)),
        bytes: await disk.readFile(join(root, path)),
      })),
  );
  const manifest = JSON.parse(await readFile(join(root, "manifest.json"), "utf8"));
  return { version, manifest, files };
}
