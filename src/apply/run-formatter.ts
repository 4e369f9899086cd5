import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { messageOf } from "../errors.ts";
import { equal } from "../plan/merge/three-way/encoding.ts";
import { type Sides, UNFORMATTED } from "../plan/team-style.ts";
import type { CommandRunner, FileSystem } from "../ports.ts";
import type { Formatter } from "./find-formatter.ts";
import { endingOf, importantLines } from "./install.ts";

/** What it takes to run a formatter. */
export interface FormatTools {
  fs: FileSystem;
  commands: CommandRunner;
  signal: AbortSignal;
}

/** The files of one side or both, formatted; and what the formatter said if it could not run. */
export interface Formatted extends Sides {
  problem?: string;
}

// Ten times what the largest service takes on a slow machine: no CI job should wait for ever.
const LONGEST = 120_000;
const LONGEST_REASON = 300;

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
  let folder: string | undefined;
  try {
    folder = await fs.makeUniqueFolder(join(tmpdir(), "create-fetch-service-"));
    // The configuration stands for itself; a render of it is not formatted.
    for (const [path, bytes] of [...files, ...config]) {
      await fs.makeFolder(dirname(join(folder, path)));
      await fs.writeFile(join(folder, path), bytes, 0o644);
    }
    // For plugins, and for configurations that extend a package's.
    await fs.linkFolder(packages, join(folder, "node_modules"));
    const timeout = AbortSignal.timeout(LONGEST);
    const { exitCode, found, output } = await commands.run("node", [program, ...args], {
      cwd: folder,
      signal: AbortSignal.any([signal, timeout]),
    });
    const formatted = new Map<string, Uint8Array>();
    for (const [path, before] of files) {
      if (config.has(path)) {
        continue;
      }
      const after = await fs.readFile(join(folder, path));
      // A run that fails may have stopped in the middle of a file, as on a full disk.
      if (exitCode === 0 || lettersIn(after) === lettersIn(before)) {
        formatted.set(path, after);
      }
    }
    const isChanged = [...formatted].some(
      ([path, bytes]) => !equal(bytes, files.get(path) ?? bytes),
    );
    if (timeout.aborted) {
      return { files: new Map(), problem: "it did not end within two minutes" };
    }
    // One file that does not parse fails the run, and the others are formatted.
    return exitCode === 0 || isChanged
      ? { files: formatted }
      : {
          files: new Map(),
          problem: found ? reasonOf(output, exitCode) : "there is no node on the PATH",
        };
  } catch (error) {
    // A full disk for temporary files is no reason to stop: nothing has to be formatted.
    return { files: new Map(), problem: messageOf(error) };
  } finally {
    if (folder !== undefined) {
      await fs.remove(folder);
    }
  }
}

/** What a formatter said, in a line. */
function reasonOf(output: string, exitCode: number | undefined): string {
  const said = importantLines(output)
    .split("\n", 3)
    .map((line) => line.trim());
  return said.join(" ").trim().slice(0, LONGEST_REASON) || endingOf(exitCode);
}

/** No formatter adds or takes letters, in whatever order it puts them. */
function lettersIn(bytes: Uint8Array): number {
  return (
    Buffer.from(bytes)
      .toString("utf8")
      .match(/[a-z0-9]/gi)?.length ?? 0
  );
}
