import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";

import { sameApartFromFormatting } from "../plan/formatting.ts";
import { equal } from "../plan/merge/three-way/encoding.ts";
import type { DiskTree } from "../plan/plan.ts";
import { type Sides, UNFORMATTED } from "../plan/team-style.ts";
import type { Tree } from "../plan/tree.ts";
import type { CommandRunner, FileSystem } from "../ports.ts";
import { lastLines } from "./install.ts";

/** What it takes to run a formatter. */
export interface FormatTools {
  fs: FileSystem;
  commands: CommandRunner;
  signal: AbortSignal;
}

interface Kind {
  name: string;
  package: string;
  isConfig: RegExp;
  /** The name of an empty configuration, for a team that has none. */
  config: string;
  /** Formats every file in the working directory, by this configuration and no other. */
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
    args: (config) => ["--write", "--ignore-unknown", "--log-level=warn", "--config", config, "."],
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
const SHARED_CONFIG = [".editorconfig", ".prettierignore", ".gitignore"];

/** A formatter that is installed in a service. */
export interface Formatter {
  name: string;
  /** Its command, a file that Node runs. */
  program: string;
  args: string[];
  packages: string;
  /** The team's configuration and ignore files, by their names in the service's folder. */
  config: ReadonlyMap<string, Uint8Array>;
}

/**
 * Finds the formatter that a team has chosen or set up otherwise than the template: with that one's
 * own, as it set it up, the template's files are formatted already.
 *
 * A formatter is code, and so may its configuration be. Both are trusted as far as the folder's owner
 * trusts them, who has installed the packages and runs their code in every script. Nothing is run from
 * outside the service's own node_modules, and nothing at all in a folder that has none, such as a fresh
 * clone of somebody else's.
 */
export async function findFormatter(
  fs: FileSystem,
  root: string,
  { base, mine }: { base: Tree; mine: DiskTree },
): Promise<Formatter | undefined> {
  const [before, now] = [manifestIn(base), manifestIn(mine)];
  const isNew = (path: string) => {
    const [was, own] = [base.get(path), mine.get(path)];
    return own !== undefined && !(was && sameApartFromFormatting(path, was.bytes, own.bytes));
  };
  const chosen = KINDS.filter(
    (kind) =>
      [...mine.keys()].some((path) => kind.isConfig.test(path) && isNew(path)) ||
      (now.packages[kind.package] ?? before.packages[kind.package]) !==
        before.packages[kind.package] ||
      (kind.name === "Prettier" && now.prettier !== undefined) ||
      (now.packages[kind.package] !== undefined && isNew(".editorconfig")),
  );
  // With several, the team's script says which one formats, unless it is the template's.
  const script = now.format === before.format ? "" : now.format;
  const isScripted = ({ package: name }: Kind) => script.includes(posix.basename(name));
  for (const kind of chosen.toSorted((a, b) => Number(isScripted(b)) - Number(isScripted(a)))) {
    const packages = join(root, "node_modules");
    const program = await programOf(fs, join(packages, kind.package), posix.basename(kind.package));
    if (program !== undefined) {
      const config = configOf(kind, mine, now.prettier);
      const name = [...config.keys()].find((path) => kind.isConfig.test(path)) ?? kind.config;
      return { name: kind.name, program, args: kind.args(name), packages, config };
    }
  }
  return undefined;
}

/** The files of one side or both, formatted; and what the formatter said if it could not run. */
export interface Formatted extends Sides {
  problem?: string;
}

/** Formats files as the team's formatter would in their places: one run for each side. */
export async function runFormatter(
  tools: FormatTools,
  formatter: Formatter,
  sides: Sides,
): Promise<Formatted> {
  const [base, theirs] = await Promise.all(
    [sides.base, sides.theirs].map((files) => formatFiles(tools, formatter, files)),
  );
  tools.signal.throwIfAborted();
  const problem = base?.problem ?? theirs?.problem;
  return problem === undefined
    ? { base: base?.files ?? UNFORMATTED.base, theirs: theirs?.files ?? UNFORMATTED.theirs }
    : { ...UNFORMATTED, problem };
}

/**
 * Formats copies of files in a folder of their own, at the same paths below it, so that overrides and
 * ignore files mean what they mean in the service, which is not touched.
 */
async function formatFiles(
  { fs, commands, signal }: FormatTools,
  { program, args, packages, config }: Formatter,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<{ files: Map<string, Uint8Array>; problem?: string }> {
  if (files.size === 0) {
    return { files: new Map() };
  }
  const folder = await fs.makeUniqueFolder(join(tmpdir(), "create-fetch-service-"));
  try {
    // The configuration stands for itself; a render of it is not formatted.
    for (const [path, bytes] of [...files, ...config]) {
      await fs.makeFolder(dirname(join(folder, path)));
      await fs.writeFile(join(folder, path), bytes, 0o644);
    }
    // For plugins, and for configurations that extend a package's.
    await fs.linkFolder(packages, join(folder, "node_modules"));
    const { exitCode, output } = await commands.run("node", [program, ...args], {
      cwd: folder,
      signal,
    });
    const formatted = new Map<string, Uint8Array>();
    for (const path of files.keys()) {
      if (!config.has(path)) {
        formatted.set(path, await fs.readFile(join(folder, path)));
      }
    }
    const isChanged = [...formatted].some(
      ([path, bytes]) => !equal(bytes, files.get(path) ?? bytes),
    );
    // One file that does not parse fails the run, and the others are formatted.
    return exitCode === 0 || isChanged
      ? { files: formatted }
      : { files: new Map(), problem: lastLines(output, 3) };
  } finally {
    await fs.remove(folder);
  }
}

function configOf(kind: Kind, mine: DiskTree, prettier: unknown): Map<string, Uint8Array> {
  const named = [...mine].filter(
    ([path]) => kind.isConfig.test(path) || SHARED_CONFIG.includes(path),
  );
  const config = new Map(named.map(([path, { bytes }]) => [path, bytes]));
  if (![...config.keys()].some((path) => kind.isConfig.test(path))) {
    // Without one, the formatter would look for it in the folders above, which are not the team's.
    const own = kind.name === "Prettier" ? (prettier ?? {}) : {};
    config.set(kind.config, Buffer.from(JSON.stringify(own)));
  }
  return config;
}

/** The file that a package's command runs; undefined when it is not installed. */
async function programOf(
  fs: FileSystem,
  folder: string,
  command: string,
): Promise<string | undefined> {
  const manifest = join(folder, "package.json");
  if ((await fs.kindOf(manifest)) !== "file") {
    return undefined;
  }
  const { bin } = parse(await fs.readFile(manifest)) as { bin?: string | Record<string, string> };
  const path = typeof bin === "object" ? bin[command] : bin;
  return path === undefined ? undefined : join(folder, path);
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
