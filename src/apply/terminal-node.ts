import { delimiter, join } from "node:path";

import type { CommandRunner, FileSystem } from "../ports.ts";

/** What is asked about the Node in the user's terminal. */
export interface NodeTools {
  fs: FileSystem;
  commands: CommandRunner;
  env: Readonly<Record<string, string | undefined>>;
  /** The version of the Node that runs us. */
  nodeVersion: string;
  nodePath: string;
  signal: AbortSignal;
}

/**
 * The version of the Node that the user's own commands will run on. Package managers put folders of their own before it,
 * such as those of a checkout, and the Node in there may be another one.
 *
 * @returns undefined when there is none.
 */
export async function terminalNode(tools: NodeTools, cwd: string): Promise<string | undefined> {
  const { commands, env, nodeVersion, nodePath, signal } = tools;
  const folders = (env["PATH"] ?? "").split(delimiter);
  const own = folders.filter((folder) => !/node_modules[/\\]/.test(folder));
  if (own.length === folders.length || (await findProgram(tools.fs, own, "node")) === nodePath) {
    return nodeVersion;
  }
  const options = { cwd, env: { PATH: own.join(delimiter) }, signal };
  const output = await commands.capture("node", ["--version"], options);
  return output && Buffer.from(output).toString("utf8").trim().replace(/^v/, "");
}

/** The file that a shell would run, looking through these folders; undefined when none has it. */
export async function findProgram(
  fs: FileSystem,
  folders: readonly string[],
  program: string,
): Promise<string | undefined> {
  const places = folders.flatMap((folder) =>
    ["", ".cmd", ".exe"].map((ending) => join(folder, `${program}${ending}`)),
  );
  for (const path of places) {
    // A shell passes over a folder that it may not look into, too.
    const kind = await fs.kindOf(path).catch(() => "nothing");
    if (kind === "file" || kind === "link") {
      return path;
    }
  }
  return undefined;
}
