import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

import { addToArchive, readArchive } from "../src/catalog/archive.ts";
import { compileTemplate } from "../src/plan/compile.ts";
import {
  ARCHIVE,
  rawTemplates,
  recordedTreeIds,
  TREE_IDS,
  treeIds,
} from "../test/support/archive.ts";

// Run right before the version in package.json is raised: what was released stays renderable.
const ROOT = join(import.meta.dirname, "..");
const { values } = parseArgs({
  options: {
    templates: { type: "string", default: join(ROOT, "templates") },
    version: { type: "string" },
    /** Writes a version anew that is already there, with other templates. */
    replace: { type: "boolean", default: false },
  },
});

const packageJson = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
const raw = await rawTemplates(values.templates, values.version ?? packageJson.version);
const before = existsSync(ARCHIVE) ? await readFile(ARCHIVE) : undefined;
const after = addToArchive(before, raw);
const archive = readArchive(after, compileTemplate);
const templates = archive.templates(raw.version);
const known = recordedTreeIds();
const ids = templates ? treeIds(templates) : {};

if (!values.replace && known[raw.version] && !sameIds(known[raw.version], ids)) {
  throw new Error(`${raw.version} is archived with other templates; --replace writes it anew`);
}
await mkdir(dirname(ARCHIVE), { recursive: true });
await writeFile(ARCHIVE, after);
await writeFile(TREE_IDS, `${JSON.stringify({ ...known, [raw.version]: ids }, null, 2)}\n`);
console.log(`${raw.version} archived; ${archive.versions.length} versions, ${after.length} bytes`);

function sameIds(one: object | undefined, two: object): boolean {
  return JSON.stringify(one) === JSON.stringify(two);
}
