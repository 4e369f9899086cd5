import { dirname, join, relative, sep } from "node:path";

import type { FileSystem } from "../ports.ts";

/** A workspace of a package manager that takes the service in: its lockfile is at the top. */
export interface Workspace {
  folder: string;
  /** The file that lists its packages. */
  file: "pnpm-workspace.yaml" | "package.json";
}

/** Finds the workspace above a folder that counts it among its packages. */
export async function findWorkspace(
  fs: FileSystem,
  folder: string,
  packageManager: string,
): Promise<Workspace | undefined> {
  const file = packageManager === "pnpm" ? "pnpm-workspace.yaml" : "package.json";
  for (let above = dirname(folder); ; above = dirname(above)) {
    const patterns = await packagesOf(fs, join(above, file));
    if (patterns) {
      const path = relative(above, folder).split(sep).join("/");
      return isAmong(path, patterns) ? { folder: above, file } : undefined;
    }
    if (dirname(above) === above) {
      return undefined;
    }
  }
}

/** The patterns of a workspace's packages; undefined when the file makes no workspace. */
async function packagesOf(fs: FileSystem, path: string): Promise<string[] | undefined> {
  if ((await fs.kindOf(path)) !== "file") {
    return undefined;
  }
  const text = Buffer.from(await fs.readFile(path)).toString("utf8");
  try {
    const data: unknown = path.endsWith(".yaml")
      ? (await import("yaml")).parse(text)
      : JSON.parse(text);
    const { packages, workspaces } = Object(data);
    // Yarn 1 also knows { "workspaces": { "packages": […] } }.
    const patterns: unknown = packages ?? workspaces?.packages ?? workspaces;
    return Array.isArray(patterns) ? patterns.filter((one) => typeof one === "string") : undefined;
  } catch {
    // The package manager itself complains about a broken file.
    return undefined;
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
