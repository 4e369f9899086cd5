import type { Host } from "./host.ts";
import type { Report } from "./report.ts";

/** The options of the commands that work on a service, as commander reads them. */
export interface ServiceOptions {
  /** What stands on the command line without a flag. */
  names: string[];
  directory?: string;
  restore?: string[];
  check?: boolean;
  install?: boolean;
  dryRun?: boolean;
  yes?: boolean;
  json?: boolean;
}

/** Runs a command, and returns its exit code when that is not 0. */
export type ServiceCommand = (
  host: Host,
  report: Report,
  options: ServiceOptions,
) => Promise<number>;

export interface CommandWords {
  name: string;
  /** Its arguments, in commander's notation. */
  argument?: string;
  summary: string;
  options: readonly Option[];
  load: () => Promise<ServiceCommand>;
}

type Option = readonly [flags: string, help: string, repeatable?: "repeatable"];

const DIRECTORY: Option = ["--directory <path>", "folder of the service (default: this one)"];
const JSON: Option = ["--json", "print one JSON document, and ask nothing"];
const DRY_RUN: Option = ["--dry-run", "print what would change, and write nothing"];
const YES: Option = ["-y, --yes", "ask nothing"];
const NO_INSTALL: Option = ["--no-install", "leave the dependencies as they are"];
const RESTORE: Option = [
  "--restore <path>",
  "bring back a file that you deleted; may be repeated",
  "repeatable",
];

const WRITING = [DIRECTORY, DRY_RUN, NO_INSTALL, YES, JSON];

/** The commands for a service that is there: the one list behind help, completion and dispatch. */
export const SERVICE_COMMANDS: readonly CommandWords[] = [
  {
    name: "add-integration",
    argument: "[names...]",
    summary: "add integrations to a service",
    options: [RESTORE, ...WRITING],
    load: async () => (await import("./add-integration.ts")).addIntegration,
  },
  {
    name: "remove-integration",
    argument: "[names...]",
    summary: "take integrations out of a service",
    options: [RESTORE, ...WRITING],
    load: async () => (await import("./remove-integration.ts")).removeIntegration,
  },
  {
    name: "update",
    summary: "bring a service to this version's templates",
    options: [RESTORE, ...WRITING],
    load: async () => (await import("./update.ts")).update,
  },
  {
    name: "status",
    summary: "list what differs from the service's own answers",
    options: [["--check", "end with 4 when anything differs"], DIRECTORY, JSON],
    load: async () => (await import("./status.ts")).status,
  },
  {
    name: "diff",
    argument: "[paths...]",
    summary: "show what differs, line by line",
    options: [DIRECTORY, JSON],
    load: async () => (await import("./diff.ts")).diff,
  },
  {
    name: "undo",
    summary: "go back to before the last command",
    options: WRITING,
    load: async () => (await import("./undo.ts")).undo,
  },
  {
    name: "adopt",
    summary: "rebuild a lost .fetch-service.json",
    options: [DIRECTORY, DRY_RUN, YES, JSON],
    load: async () => (await import("./adopt.ts")).adopt,
  },
];
