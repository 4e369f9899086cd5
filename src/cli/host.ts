import type { Archive } from "../catalog/archive.ts";
import type { ChangelogEntry } from "../catalog/changelog.ts";
import type { Templates } from "../catalog/templates.ts";
import type { CommandRunner, FileSystem, Network, Processes, Prompter } from "../ports.ts";
import { commands } from "../system/commands.ts";
import { disk } from "../system/disk.ts";
import { processes } from "../system/processes.ts";
import { builtInArchive, builtInChangelog, builtInTemplates } from "./templates.ts";

/** Everything around a run: tests replace it piece by piece. */
export interface Host {
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** The version of the Node that runs us. */
  nodeVersion: string;
  /** Where that Node is. */
  nodePath: string;
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
  // Loaded on demand: most runs need neither.
  network: () => Promise<Network>;
  prompter: () => Promise<Prompter>;
}

/** The host of a real run. */
export function realHost(signal: AbortSignal): Host {
  return {
    cwd: process.cwd(),
    env: process.env,
    nodeVersion: process.versions.node,
    nodePath: process.execPath,
    // In this order: Node opens a stream when it is first asked about it, and writing needs this one anyway.
    interactive: process.stdout.isTTY && process.stdin.isTTY,
    now: () => performance.now(),
    signal,
    readInput: async () => (await import("node:stream/consumers")).text(process.stdin),
    templates: () => builtInTemplates(disk),
    archive: builtInArchive,
    changelog: builtInChangelog,
    fs: disk,
    commands,
    processes,
    network: async () => (await import("../system/network.ts")).network,
    prompter: async () => (await import("../system/terminal.ts")).terminal(signal),
  };
}
