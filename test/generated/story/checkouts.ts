import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { addToArchive } from "../../../src/catalog/archive.ts";
import { ARCHIVE, rawTemplates } from "../../support/archive.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** Changes of the templates that stand beside what the team has changed, and one on the same line. */
const CHANGES: readonly [path: string, find: string, put: string][] = [
  ["base/README.md.hbs", "## Routes\n", "## Routes, and more of them\n"],
  ["base/fsd.yml.hbs", "scale_out_cooldown: 60", "scale_out_cooldown: 90"],
  ["base/package.json.hbs", '"pino": "', '"pino": "^'],
  ["base/Dockerfile.hbs", "--interval=30s", "--interval=20s"],
  ["base/.env.example.hbs", "CORS_ORIGINS=\n", "CORS_ORIGINS=\nCORS_MAX_AGE=600\n"],
];

/** A copy of this checkout, which stays as it is whatever becomes of this one. */
export function thisVersion(): string {
  const folder = mkdtempSync(join(tmpdir(), "checkout-"));
  for (const part of ["bin", "src", "templates", "templates-archive", "package.json"]) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** A checkout of the version after one, which has that one in its archive. */
export async function nextVersion(before: string, version: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "checkout-"));
  cpSync(before, folder, { recursive: true, verbatimSymlinks: true });
  const { version: current } = JSON.parse(readFileSync(join(before, "package.json"), "utf8"));
  const raw = await rawTemplates(join(before, "templates"), current);
  writeFileSync(
    join(folder, "templates-archive/templates.br"),
    addToArchive(readFileSync(ARCHIVE), raw),
  );
  edit(join(folder, "package.json"), /"version": "[^"]+"/, `"version": "${version}"`);
  for (const [path, find, put] of CHANGES) {
    edit(join(folder, "templates", path), find, put);
  }
  const changelog = [{ version, changes: ["Health checks every 20 seconds"] }];
  writeFileSync(join(folder, "templates/changelog.json"), JSON.stringify(changelog));
  return folder;
}

function edit(path: string, find: string | RegExp, put: string): void {
  const text = readFileSync(path, "utf8");
  const edited = text.replace(find, put);
  if (edited === text) {
    throw new Error(`${path} no longer has ${String(find)}`);
  }
  writeFileSync(path, edited);
}
