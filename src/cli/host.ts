import type { Templates } from "../catalog/templates.ts";
import type { CommandRunner, FileSystem, Network, Prompter } from "../ports.ts";
import type { Screen } from "./report.ts";

/** Everything around a run: tests replace it piece by piece. */
export interface Host {
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** A person can answer questions. */
  interactive: boolean;
  screen: Screen;
  /** Milliseconds of a steady clock. */
  now: () => number;
  /** Aborted by Ctrl-C and SIGTERM. */
  signal: AbortSignal;
  readInput: () => Promise<string>;
  templates: () => Promise<Templates>;
  fs: FileSystem;
  commands: CommandRunner;
  network: Network;
  /** Loaded when the first question is asked. */
  prompter: () => Promise<Prompter>;
}
