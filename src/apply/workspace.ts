import { dirname, join, relative, sep } from "node:path";

import type { FileSystem } from "../ports.ts";

/** A workspace of a package manager that takes the service in: its lockfile is at the top. */
export interface Workspace {
  folder: string;
  /** The file that lists its packages. */
  file: "pnpm-workspace.yaml" | "package.json";
  /** The package manager's settings, when it has them in a file of which there may be only one, at the top. */
  settings: { file: string; values: Record<string, unknown> } | undefined;
}

/** pnpm obeys the nearest of these files only; Yarn's holds for all of the workspace, whichever it finds. */
const SETTINGS = new Map([
  ["pnpm", "pnpm-workspace.yaml"],
  ["yarn4", ".yarnrc.yml"],
]);

/** Finds the workspace above a folder that counts it among its packages. */
export async function findWorkspace(
  fs: FileSystem,
  folder: string,
  packageManager: string,
): Promise<Workspace | undefined> {
  const file = packageManager === "pnpm" ? "pnpm-workspace.yaml" : "package.json";
  for (let above = dirname(folder); ; above = dirname(above)) {
    const patterns = packagesOf(await readData(fs, join(above, file)));
    if (patterns) {
      const path = relative(above, folder).split(sep).join("/");
      if (!isAmong(path, patterns)) {
        return undefined;
      }
      const settings = SETTINGS.get(packageManager);
      return {
        folder: above,
        file,
        settings:
          settings === undefined
            ? undefined
            : { file: settings, values: await readData(fs, join(above, settings)) },
      };
    }
    if (dirname(above) === above) {
      return undefined;
    }
  }
}

/** The patterns of a workspace's packages; undefined when the file makes no workspace. */
function packagesOf({ packages, workspaces }: Record<string, unknown>): string[] | undefined {
  // Yarn 1 also knows { "workspaces": { "packages": […] } }.
  const patterns: unknown = packages ?? Object(workspaces).packages ?? workspaces;
  return Array.isArray(patterns) ? patterns.filter((one) => typeof one === "string") : undefined;
}

/** What a file of JSON or YAML holds; nothing when there is none. */
async function readData(fs: FileSystem, path: string): Promise<Record<string, unknown>> {
  if ((await fs.kindOf(path)) !== "file") {
    return {};
  }
  const text = Buffer.from(await fs.readFile(path)).toString("utf8");
  try {
    return Object(path.endsWith(".json") ? JSON.parse(text) : (await import("yaml")).parse(text));
  } catch {
    // The package manager itself complains about a broken file.
    return {};
  }
}

function isAmong(path: string, patterns: readonly string[]): boolean {
  const matches = (pattern: string) => toRegExp(pattern.replace(/^\.\//, "")).test(path);
  return (
    patterns.some((pattern) => !pattern.startsWith("!") && matches(pattern)) &&
    !patterns.some((pattern) => pattern.startsWith("!") && matches(pattern.slice(1)))
  );
}

/** Only "*" and "**": workspaces hardly use more. */
function toRegExp(pattern: string): RegExp {
  const source = pattern
    .replace(/\/$/, "")
    .replaceAll(/[.+^${}()|[\]\\?]/g, "\\$&")
    .replaceAll(/\*\*\/?|\*/g, (stars) => (stars === "*" ? "[^/]*" : ".*"));
  return new RegExp(`^${source}$`);
}
