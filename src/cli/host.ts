import type { Templates } from "../catalog/templates.ts";
import type { CommandRunner, FileSystem, Network, Prompter } from "../ports.ts";

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
  fs: FileSystem;
  commands: CommandRunner;
  // Loaded when they are needed, which in most runs they are not.
  network: () => Promise<Network>;
  prompter: () => Promise<Prompter>;
}
