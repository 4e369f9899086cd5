import { text } from "node:stream/consumers";

import { commands } from "../system/commands.ts";
import { disk } from "../system/disk.ts";
import { processes } from "../system/processes.ts";
import type { Host } from "./host.ts";
import { builtInArchive, builtInChangelog, builtInTemplates } from "./templates.ts";

/** The host of a real run. */
export function realHost(signal: AbortSignal): Host {
  return {
    cwd: process.cwd(),
    env: process.env,
    interactive: process.stdin.isTTY && process.stdout.isTTY,
    now: () => performance.now(),
    signal,
    readInput: () => text(process.stdin),
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
