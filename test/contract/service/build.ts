import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { execa } from "execa";

import { PROBES_SOURCE } from "./probes.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

/** Where the suite keeps what takes long to make. */
export const CACHE = join(ROOT, ".cache/contract");

/**
 * Creates a service with the command line, adds the probes and builds it. Its installed packages are kept from run to
 * run; npm replaces those that have changed.
 * @returns the folder.
 */
export async function buildService(framework: string): Promise<string> {
  const folder = join(CACHE, framework);
  const packages = join(folder, "node_modules");
  const kept = join(CACHE, `${framework}-packages`);
  await mkdir(CACHE, { recursive: true });
  await rename(packages, kept).catch(() => {});
  await rm(folder, { recursive: true, force: true });
  await execa(process.execPath, [
    join(ROOT, "bin/create-fetch-service.js"),
    "contract-service",
    ...["--framework", framework, "--directory", folder],
    ...["--yes", "--no-install", "--no-git"],
  ]);
  await rename(kept, packages).catch(() => {});
  await addProbes(folder);
  await execa("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder });
  await execa("npm", ["run", "build"], { cwd: folder });
  return folder;
}

/** Adds the suite's probes to the routes of a service. */
export async function addProbes(folder: string): Promise<void> {
  await writeFile(join(folder, "src/routes/probes.ts"), PROBES_SOURCE);
  const app = join(folder, "src/app.ts");
  const edited = (await readFile(app, "utf8"))
    .replace(
      /^import .*routes\/receipts\.ts";$/m,
      '$&\nimport { probes } from "./routes/probes.ts";',
    )
    .replace(/registerRoutes\(app, \[(.*)\]/, "registerRoutes(app, [$1, ...probes]");
  if (!edited.includes("...probes")) throw new Error(`${app} has no list of routes to add to`);
  await writeFile(app, edited);
}
