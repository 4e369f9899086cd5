import type { Templates } from "../catalog/templates.ts";
import type { Archive } from "../catalog/archive.ts";
import type { ChangelogEntry } from "../catalog/changelog.ts";
import type { CommandRunner, FileSystem, Network, Processes, Prompter } from "../ports.ts";

/** Everything around a run: tests replace it piece by piece. */
export interface Host {
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** A person can answer questions. */
  interactive: boolean;
  /** Milliseconds of a steady clock. */
  now: () => number;
  /** Aborted by Ctrl-C and SIGTERM. */
  signal: AbortSignal;
  readInput: () => Promise<string>;
  templates: () => Promise<Templates>;
  /** The templates of older versions. */
  archive: () => Promise<Archive>;
  changelog: () => Promise<readonly ChangelogEntry[]>;
  fs: FileSystem;
  commands: CommandRunner;
  processes: Processes;
  // Loaded when they are needed, which in most runs they are not.
  network: () => Promise<Network>;
  prompter: () => Promise<Prompter>;
}
