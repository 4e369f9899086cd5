import { join, posix } from "node:path";

import { sameApartFromFormatting } from "../plan/formatting.ts";
import type { DiskTree } from "../plan/plan.ts";
import type { Tree } from "../plan/tree.ts";
import type { FileSystem } from "../ports.ts";
import { findWorkspace } from "./workspace.ts";

interface Kind {
  name: string;
  package: string;
  isConfig: RegExp;
  /** The name of an empty configuration, for a team that has none. */
  config: string;
  /** Formats every file in the working directory, by the configuration there. */
  args: (config: string) => string[];
}

const KINDS: readonly Kind[] = [
  {
    name: "Biome",
    package: "@biomejs/biome",
    isConfig: /^\.?biome\.jsonc?$/,
    config: "biome.json",
    args: () => ["format", "--write", "--no-errors-on-unmatched", "--config-path=.", "."],
  },
  {
    name: "Prettier",
    package: "prettier",
    isConfig: /^(?:\.prettierrc(?:\.\w+)?|prettier\.config\.\w+)$/,
    config: ".prettierrc.json",
    // It looks for the configuration itself, so that one further down counts for its folder.
    args: () => ["--write", "--ignore-unknown", "--log-level=warn", "."],
  },
  {
    name: "oxfmt",
    package: "oxfmt",
    isConfig: /^(?:\.oxfmtrc\.jsonc?|oxfmt\.config\.\w+)$/,
    config: ".oxfmtrc.json",
    args: (config) => ["-c", config, "--write", "."],
  },
];

// Beside a formatter's own configuration; each reads those that it knows.
const EDITOR_CONFIG = ".editorconfig";
const SHARED_CONFIG = [EDITOR_CONFIG, ".prettierignore", ".gitignore"];

/** A formatter that is installed in a service. */
export interface Formatter {
  name: string;
  /** Its command, a file that Node runs. */
  program: string;
  args: string[];
  packages: string;
  /** The team's configuration and ignore files, and what these load, by their paths in the service. */
  config: ReadonlyMap<string, Uint8Array>;
}

/**
 * Finds the formatter that a team has chosen or set up otherwise than the template: with that one's
 * own, as it set it up, the template's files are formatted already.
 *
 * A formatter is code, and so may its configuration be. Both are trusted as far as the folder's owner
 * trusts them, who has installed the packages and runs their code in every script. Nothing is run from
 * outside the service's own node_modules, or those of a workspace that names the service as its part;
 * and nothing at all where nobody has installed anything, such as in a fresh clone of somebody else's.
 */
export async function findFormatter(
  fs: FileSystem,
  root: string,
  { base, mine }: { base: Tree; mine: DiskTree },
): Promise<Formatter | undefined> {
  const workspace =
    (await findWorkspace(fs, root, "npm")) ?? (await findWorkspace(fs, root, "pnpm"));
  const inherited = workspace
    ? await configIn(fs, workspace.folder)
    : new Map<string, Uint8Array>();
  const [before, now] = [manifestIn(base), manifestIn(mine)];
  const isNew = (path: string) => {
    const [was, own] = [base.get(path), mine.get(path)];
    return own !== undefined && !(was && sameApartFromFormatting(path, was.bytes, own.bytes));
  };
  const chosen = KINDS.filter(
    (kind) =>
      [...mine.keys()].some((path) => kind.isConfig.test(path) && isNew(path)) ||
      (hasConfig(kind, inherited) && !hasConfig(kind, mine)) ||
      (now.packages[kind.package] ?? before.packages[kind.package]) !==
        before.packages[kind.package] ||
      (kind.name === "Prettier" && now.prettier !== undefined) ||
      (now.packages[kind.package] !== undefined && isNew(EDITOR_CONFIG)),
  );
  // With several, the team's script says which one formats, unless it is the template's.
  const script = now.format === before.format ? "" : now.format;
  const isScripted = ({ package: name }: Kind) => script.includes(posix.basename(name));
  for (const kind of chosen.toSorted((a, b) => Number(isScripted(b)) - Number(isScripted(a)))) {
    for (const folder of [root, ...(workspace ? [workspace.folder] : [])]) {
      const packages = join(folder, "node_modules");
      const program = await programOf(fs, packages, kind.package);
      if (program !== undefined) {
        const config = configOf(kind, mine, inherited, now.prettier);
        const name = [...config.keys()].find((path) => kind.isConfig.test(path)) ?? kind.config;
        return { name: kind.name, program, args: kind.args(name), packages, config };
      }
    }
  }
  return undefined;
}

function hasConfig({ isConfig }: Kind, files: ReadonlyMap<string, unknown>): boolean {
  return [...files.keys()].some((path) => isConfig.test(path));
}

/** The configuration that a workspace has for all its parts. */
async function configIn(fs: FileSystem, folder: string): Promise<Map<string, Uint8Array>> {
  const config = new Map<string, Uint8Array>();
  for (const name of await fs.namesIn(folder)) {
    const isWanted = name === EDITOR_CONFIG || KINDS.some(({ isConfig }) => isConfig.test(name));
    if (isWanted && (await fs.kindOf(join(folder, name))) === "file") {
      config.set(name, await fs.readFile(join(folder, name)));
    }
  }
  return config;
}

function configOf(
  kind: Kind,
  mine: DiskTree,
  inherited: ReadonlyMap<string, Uint8Array>,
  prettier: unknown,
): Map<string, Uint8Array> {
  const key = kind.name === "Prettier" ? prettier : undefined;
  const isOwn = hasConfig(kind, mine) || key !== undefined;
  const own = [...mine].filter(
    ([path]) => kind.isConfig.test(posix.basename(path)) || SHARED_CONFIG.includes(path),
  );
  const config = new Map([
    ...[...inherited].filter(([name]) => name === EDITOR_CONFIG || !isOwn),
    ...own.map(([path, { bytes }]) => [path, bytes] as const),
    ...(typeof key === "string" ? filesNamedIn(mine, ".", JSON.stringify(key)) : []),
    ...own.flatMap(([path, { bytes }]) => [
      ...filesNamedIn(mine, posix.dirname(path), Buffer.from(bytes).toString("utf8")),
    ]),
  ]);
  // Without a file, the formatter would look for one in the folders above, which are not the team's.
  return hasConfig(kind, config)
    ? config
    : config.set(kind.config, Buffer.from(JSON.stringify(key ?? {})));
}

/** The service's own files that a configuration loads: a base, a plugin, and what these load. */
function filesNamedIn(
  mine: DiskTree,
  folder: string,
  text: string,
  found = new Map<string, Uint8Array>(),
): Map<string, Uint8Array> {
  for (const [name] of text.matchAll(/\.{1,2}\/[^"'\s,\])]+/g)) {
    const path = posix.join(folder, name);
    const bytes = mine.get(path)?.bytes;
    if (bytes && !found.has(path)) {
      found.set(path, bytes);
      filesNamedIn(mine, posix.dirname(path), Buffer.from(bytes).toString("utf8"), found);
    }
  }
  return found;
}

/** The file that a package's command runs; undefined when it is not installed. */
async function programOf(
  fs: FileSystem,
  packages: string,
  name: string,
): Promise<string | undefined> {
  const manifest = join(packages, name, "package.json");
  if ((await fs.kindOf(manifest)) !== "file") {
    return undefined;
  }
  const { bin } = parse(await fs.readFile(manifest)) as { bin?: string | Record<string, string> };
  const path = typeof bin === "object" ? bin[posix.basename(name)] : bin;
  return path === undefined ? undefined : join(packages, name, path);
}

/** What a package.json says of formatters. */
function manifestIn(tree: DiskTree | Tree) {
  const manifest = parse(tree.get("package.json")?.bytes ?? new Uint8Array()) as {
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
    scripts?: Record<string, string>;
    prettier?: unknown;
  };
  return {
    packages: { ...manifest.dependencies, ...manifest.devDependencies },
    format: manifest.scripts?.["format"] ?? "",
    prettier: manifest.prettier,
  };
}

function parse(bytes: Uint8Array): object {
  try {
    const data: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return typeof data === "object" && data !== null ? data : {};
  } catch {
    return {};
  }
}
