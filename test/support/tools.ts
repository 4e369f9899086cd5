import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * A command of an npm package that one test needs and whose many packages nobody else should have to install.
 * Kept for the next run.
 * @returns the path of the command.
 */
export async function installTool(name: string, version: string, command: string): Promise<string> {
  const folder = join(tmpdir(), `create-fetch-service-${name.replaceAll(/\W+/g, "-")}-${version}`);
  const path = join(folder, "node_modules/.bin", command);
  if (!existsSync(path)) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "package.json"), "{}");
    await promisify(execFile)("npm", ["install", "--no-audit", `${name}@${version}`], {
      cwd: folder,
    });
  }
  return path;
}
