import { Command, CommanderError, type OutputConfiguration } from "commander";

import { ANSWER_FLAGS } from "../answers/flags.ts";
import { UserError } from "../errors.ts";
import type { CreateOptions, ServiceCommand, ServiceOptions } from "./command.ts";

type Names = Parameters<(typeof ANSWER_FLAGS)[number]["help"]>[0];

const EXAMPLES = `
Examples:
  create-fetch-service                          asks for everything
  create-fetch-service my-service --yes         takes the defaults
  create-fetch-service my-service --port 9000 --metrics-port 9090 --yes
  create-fetch-service my-service --yes --dry-run
  create-fetch-service --answers answers.json --yes --json

Exit codes: 0 done, or nothing to do; 1 failure; 2 usage or a bad answer; 3 written, with conflicts
to decide, or foreseen by \`--dry-run --check\`; 4 \`status --check\` found a difference; 130 interrupted`;

/** A command for an existing service. */
export interface CommandEntry {
  name: string;
  /** Its arguments, in commander's notation. */
  argument?: string;
  summary: string;
  options: readonly Option[];
  load: () => Promise<ServiceCommand>;
}

type Option = readonly [flags: string, help: string, repeatable?: "repeatable"];

// The options that several commands have.
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

const CHECK: Option = ["--check", "with --dry-run: end with 3 when there would be conflicts"];
const WRITING = [DIRECTORY, DRY_RUN, NO_INSTALL, YES, JSON];
const CHANGING = [RESTORE, CHECK, ...WRITING];

const VERIFY_OPTIONS: readonly Option[] = [
  ["--metrics-url <url>", "address of the metrics port"],
  ["--process <command>", "start the service with it, to check starts, ends, kills and settings"],
  ["--destructive", "also try what could take a weak service down; implied without a url"],
  ["--only <check>", "checks that begin with it, such as errors; may be repeated", "repeatable"],
  ["--skip <check>", "leave out checks that begin with it; may be repeated", "repeatable"],
  ["--openapi <file>", "file or address of the OpenAPI document (default: /openapi.json)"],
  ["--route <path>", "POST route for JSON to try bodies on (default: one of the document)"],
  ["--body <file>", "a JSON body that the route accepts (default: made from the document)"],
  ["--strict", "end with 1 when hardening fails, too, not only what is a must"],
  ["--junit <file>", "write the results in JUnit's format"],
  JSON,
];

/** The commands for an existing service: the one list behind help, completion and dispatch. */
export const SERVICE_COMMANDS: readonly CommandEntry[] = [
  {
    name: "add-integration",
    argument: "[names...]",
    summary: "add integrations to a service",
    options: CHANGING,
    load: async () => (await import("./integrations.ts")).addIntegration,
  },
  {
    name: "remove-integration",
    argument: "[names...]",
    summary: "take integrations out of a service",
    options: CHANGING,
    load: async () => (await import("./integrations.ts")).removeIntegration,
  },
  {
    name: "update",
    summary: "bring a service to this version's templates",
    options: CHANGING,
    load: async () => (await import("./update.ts")).update,
  },
  {
    name: "status",
    summary: "list what differs from the service's own answers",
    options: [
      ["--check", "end with 4 when anything differs that is not accepted"],
      DIRECTORY,
      JSON,
    ],
    load: async () => (await import("./drift.ts")).status,
  },
  {
    name: "diff",
    argument: "[paths...]",
    summary: "show what differs, line by line",
    options: [DIRECTORY, JSON],
    load: async () => (await import("./drift.ts")).diff,
  },
  {
    name: "accept",
    argument: "[paths...]",
    summary: "record differences as wanted; status --check passes over them",
    options: [["--reason <text>", "why, for the readers of status"], DIRECTORY, DRY_RUN, JSON],
    load: async () => (await import("./accept.ts")).accept,
  },
  {
    name: "undo",
    summary: "go back to before the last command",
    options: [
      ["--force-files", "take back the rest when files changed since, and keep those"],
      ...WRITING,
    ],
    load: async () => (await import("./undo.ts")).undo,
  },
  {
    name: "adopt",
    summary: "rebuild a lost .fetch-service.json",
    options: [DIRECTORY, DRY_RUN, YES, JSON],
    load: async () => (await import("./adopt.ts")).adopt,
  },
  {
    name: "verify",
    argument: "[url]",
    summary: "check a running service, in any language, against the standard",
    options: VERIFY_OPTIONS,
    load: async () => (await import("./verify.ts")).verify,
  },
];

/** What runs the parts of a command line. */
export interface Actions {
  create: (options: CreateOptions) => Promise<void>;
  service: (command: CommandEntry, options: ServiceOptions) => Promise<void>;
  completion: (shell: string, program: Command) => Promise<void>;
}

/** The command line: its options and commands, and what each of them runs. */
export function createProgram(
  catalogue: Names,
  version: string,
  actions: Actions,
  output: OutputConfiguration = {},
): Command {
  const program = new Command("create-fetch-service")
    .description("Write a complete Node service to the Fetch standard")
    .version(version)
    .enablePositionalOptions()
    .configureOutput({ ...output, writeErr: () => undefined })
    .exitOverride(toUserError)
    .argument("[name]", helpOf("name", catalogue))
    .allowExcessArguments(false);
  for (const { key, flag, value, help } of ANSWER_FLAGS) {
    if (key !== "name") {
      program.option(`${flag} ${value}`, help(catalogue));
    }
  }
  program
    .option("--directory <path>", "folder to make (default: the name)")
    .option("--answers <file>", "read answers from a JSON file, or from - for standard input")
    .option("-y, --yes", "ask nothing: take the defaults")
    .option("--install", "install the dependencies (default)")
    .option("--no-install", "leave the dependencies out")
    .option("--git", "make a repository with a first commit (default)")
    .option("--no-git", "make no repository")
    .option("--verify", "build the service, boot it, probe its routes and stop it")
    .option("--dry-run", "list the files, and write nothing")
    .option("--json", "print one JSON document, and ask nothing")
    .addHelpText("after", EXAMPLES)
    .action((name: string | undefined, options: CreateOptions) =>
      actions.create({ ...options, ...(name !== undefined && { name }) }),
    );
  // Else it would be the name of a service.
  program.helpCommand("help [command]", "display help for a command");
  const names = catalogue.integrations.map(({ name }) => name).join(", ");
  SERVICE_COMMANDS.forEach((entry) => addServiceCommand(program, entry, names, actions));
  program
    .command("completion")
    .description("print a script that completes command lines in bash, fish or zsh")
    .argument("<shell>")
    .allowExcessArguments(false)
    .action((shell: string) => actions.completion(shell, program));
  return program;
}

function addServiceCommand(
  program: Command,
  entry: CommandEntry,
  integrations: string,
  actions: Actions,
): void {
  const command = program.command(entry.name).description(entry.summary);
  if (entry.argument !== undefined) {
    command.argument(entry.argument, entry.argument === "[names...]" ? integrations : "");
  }
  for (const [flags, help, repeatable] of entry.options) {
    if (repeatable) {
      command.option(flags, help, collect);
    } else {
      command.option(flags, help);
    }
  }
  command.allowExcessArguments(false).action(() => {
    const options = { ...program.opts(), ...command.opts<Omit<ServiceOptions, "names">>() };
    return actions.service(entry, { ...options, names: command.args });
  });
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function helpOf(key: string, catalogue: Names): string {
  return ANSWER_FLAGS.find((entry) => entry.key === key)?.help(catalogue) ?? "";
}

function toUserError(error: CommanderError): never {
  // After --help and --version: commander's own process.exit would swallow a failed write.
  if (error.exitCode === 0) {
    throw error;
  }
  // What `help` says of a command that is not there.
  if (error.code === "commander.help") {
    throw new UserError("USAGE", "there is no such command", "see create-fetch-service --help");
  }
  // Commander puts its guess in a second line: "(Did you mean --port?)".
  const [message = "", guess = ""] = error.message.replace(/^error: /, "").split("\n");
  const hint = guess ? guess.replace(/^\(D(.*)\)$/, "d$1") : "see create-fetch-service --help";
  throw new UserError("USAGE", message, hint);
}
