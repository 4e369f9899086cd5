import { Command, CommanderError, type OutputConfiguration } from "commander";

import { ANSWER_FLAGS } from "../answers/flags.ts";
import { UserError } from "../errors.ts";
import { type CommandWords, SERVICE_COMMANDS, type ServiceOptions } from "./commands.ts";

type Names = Parameters<(typeof ANSWER_FLAGS)[number]["help"]>[0];

/** The command line as commander reads it; the answers among it are still texts. */
export interface CreateOptions {
  name?: string;
  directory?: string;
  answers?: string;
  yes?: boolean;
  install?: boolean;
  git?: boolean;
  verify?: boolean;
  dryRun?: boolean;
  json?: boolean;
  [answer: string]: unknown;
}

const EXAMPLES = `
Examples:
  create-fetch-service                          asks for everything
  create-fetch-service my-service --yes         takes the defaults
  create-fetch-service my-service --port 9000 --metrics-port 9090 --yes
  create-fetch-service my-service --yes --dry-run
  create-fetch-service --answers answers.json --yes --json

Exit codes: 0 done, or nothing to do; 1 failure; 2 usage or a bad answer; 3 written, with conflicts
to decide; 4 \`status --check\` found a difference; 130 interrupted`;

/** What the words of a command line are handed to. */
export interface Actions {
  create: (options: CreateOptions) => Promise<void>;
  service: (command: CommandWords, options: ServiceOptions) => Promise<void>;
  completion: (shell: string, program: Command) => Promise<void>;
}

/** The command line: its words, and what each of them runs. */
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
  const names = catalogue.integrations.map(({ name }) => name).join(", ");
  SERVICE_COMMANDS.forEach((words) => addServiceCommand(program, words, names, actions));
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
  words: CommandWords,
  integrations: string,
  actions: Actions,
): void {
  const command = program.command(words.name).description(words.summary);
  if (words.argument !== undefined) {
    command.argument(words.argument, words.argument === "[names...]" ? integrations : "");
  }
  for (const [flags, help, repeatable] of words.options) {
    if (repeatable) {
      command.option(flags, help, collect);
    } else {
      command.option(flags, help);
    }
  }
  command.allowExcessArguments(false).action(() => {
    const options = { ...program.opts(), ...command.opts<Omit<ServiceOptions, "names">>() };
    return actions.service(words, { ...options, names: command.args });
  });
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function helpOf(key: string, catalogue: Names): string {
  return ANSWER_FLAGS.find((entry) => entry.key === key)?.help(catalogue) ?? "";
}

function toUserError(error: CommanderError): void {
  if (error.exitCode === 0) {
    return;
  }
  // Commander puts its guess in a second line: "(Did you mean --port?)".
  const [message = "", guess = ""] = error.message.replace(/^error: /, "").split("\n");
  const hint = guess ? guess.replace(/^\(D(.*)\)$/, "d$1") : "see create-fetch-service --help";
  throw new UserError("USAGE", message, hint);
}
