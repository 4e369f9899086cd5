import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { render } from "../../src/plan/render.ts";
import { packagesOfPlatformTests } from "./platform-tests.ts";
import { answersWith, templates } from "./templates.ts";

const run = promisify(execFile);
const CLI = join(import.meta.dirname, "../../bin/create-fetch-service.js");
const { frameworks, integrations } = templates.manifest;

interface Packages {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  [other: string]: unknown;
}

/** What all services together need, and the platform's tests: an install of it serves every one of them. */
function allPackages(): Packages {
  const each = frameworks.map(({ name }): Packages => {
    const chosen = integrations.map((integration) => integration.name);
    const tree = render(templates, answersWith({ framework: name, integrations: chosen }));
    return JSON.parse(Buffer.from(tree.get("package.json")?.bytes ?? []).toString("utf8"));
  });
  return {
    ...each[0],
    dependencies: Object.assign({}, ...each.map((one) => one.dependencies)),
    devDependencies: Object.assign(
      packagesOfPlatformTests(),
      ...each.map((one) => one.devDependencies),
    ),
  };
}

/**
 * A folder with the packages of every service installed, in which services are written: Node and npm
 * look for packages in the folders above, too. It is kept for the next run with the same packages.
 */
export async function sharedInstall(): Promise<string> {
  const packages = JSON.stringify(allPackages(), null, 2);
  const key = createHash("sha256").update(packages).digest("hex").slice(0, 12);
  const folder = join(tmpdir(), `create-fetch-service-packages-${key}`);
  if (!existsSync(join(folder, "complete"))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), packages);
    await run("npm", ["install", "--no-audit", "--no-package-lock"], { cwd: folder });
    writeFileSync(join(folder, "complete"), "");
  }
  return folder;
}

/**
 * Writes a service with the real command, into the folder of the shared install. Without the `.env` of a developer, which
 * has the integrations in memory.
 */
export async function createService(name: string, flags: string[]): Promise<string> {
  const directory = await createWithEnvFile(name, flags);
  rmSync(join(directory, ".env"), { force: true });
  return directory;
}

/** Writes a service as a person gets it. */
export async function createWithEnvFile(name: string, flags: string[]): Promise<string> {
  const directory = join(await sharedInstall(), name);
  rmSync(directory, { recursive: true, force: true });
  const always = ["--yes", "--no-install", "--no-git", "--directory", directory];
  await run(process.execPath, [CLI, name, ...always, ...flags]);
  return directory;
}

/** Checks the types of services in a folder of the shared install. @throws with what is wrong in any of them. */
export async function typecheckAll(folder: string, services: readonly string[]): Promise<void> {
  const tsc = join(await sharedInstall(), "node_modules/.bin/tsc");
  try {
    await run(tsc, ["--build", ...services], { cwd: folder, maxBuffer: Infinity });
  } catch (error) {
    throw new Error((error as { stdout: string }).stdout, { cause: error });
  }
}

/** Runs one of the service's own scripts; gives its output, and throws with it when it fails. */
export async function runScript(
  directory: string,
  script: string,
  args: string[] = [],
): Promise<string> {
  try {
    const command = ["run", "--silent", script, "--", ...args];
    const options = { cwd: directory, maxBuffer: Infinity };
    const { stdout, stderr } = await run("npm", command, options);
    return `${stdout}${stderr}`;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`npm run ${script} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
