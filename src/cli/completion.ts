import type { Command } from "commander";

import { UserError } from "../errors.ts";
import { closest } from "../answers/text.ts";

/** A word that can be typed, and what it means. */
interface Word {
  text: string;
  help: string;
}

/** What can follow on a command line: at its start, and after each of the commands. */
interface Words {
  start: Word[];
  commands: (Word & { words: Word[] })[];
}

const NAME = "create-fetch-service";

const SHELLS: Record<string, (words: Words) => string> = { bash, fish, zsh };

/** A script that makes a shell complete our commands, flags and integrations. */
export function completionFor(
  shell: string,
  program: Command,
  integrations: readonly string[],
): string {
  const script = SHELLS[shell];
  if (!script) {
    const shells = Object.keys(SHELLS);
    const guess = closest(shell, shells);
    const hint = guess ? `did you mean ${guess}?` : `use ${shells.join(", ")}`;
    throw new UserError("USAGE", `no completion for the shell ${JSON.stringify(shell)}`, hint);
  }
  return script(wordsOf(program, integrations));
}

function wordsOf(program: Command, integrations: readonly string[]): Words {
  const commands = program.commands.map((command) => ({
    text: command.name(),
    help: command.description(),
    words: [...argumentsOf(command, integrations), ...flagsOf(command)],
  }));
  return { start: flagsOf(program), commands };
}

function argumentsOf(command: Command, integrations: readonly string[]): Word[] {
  const texts =
    command.name() === "completion"
      ? Object.keys(SHELLS)
      : /^(?:add|remove)-integration$/.test(command.name())
        ? integrations
        : [];
  return texts.map((text) => ({ text, help: "" }));
}

function flagsOf({ options }: Command): Word[] {
  return options.map(({ long, description }) => ({ text: long ?? "", help: description }));
}

function bash({ start, commands }: Words): string {
  const cases = commands.map(({ text, words }) => `    ${text}) words="${textsOf(words)}" ;;`);
  return `_create_fetch_service() {
  local words
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) words="${textsOf([...commands, ...start])}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o bashdefault -o default -F _create_fetch_service ${NAME}
`;
}

function zsh({ start, commands }: Words): string {
  const cases = commands.map(({ text, words }) => `    ${text}) compadd -- ${textsOf(words)} ;;`);
  return `#compdef ${NAME}
_create_fetch_service() {
  case "\${words[2]}" in
${cases.join("\n")}
    *) compadd -- ${textsOf([...commands, ...start])} ;;
  esac
  _files
}
compdef _create_fetch_service ${NAME}
`;
}

function fish({ start, commands }: Words): string {
  const lines = [
    ...[...commands, ...start].map((word) => fishLine("__fish_use_subcommand", word)),
    ...commands.flatMap(({ text, words }) =>
      words.map((word) => fishLine(`__fish_seen_subcommand_from ${text}`, word)),
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function fishLine(condition: string, { text, help }: Word): string {
  const word = text.startsWith("--") ? `-l ${text.slice(2)}` : `-a ${text}`;
  const description = help ? ` -d '${help.replaceAll("'", "\\'")}'` : "";
  return `complete -c ${NAME} -n '${condition}' ${word}${description}`;
}

function textsOf(words: readonly Word[]): string {
  return words.map(({ text }) => text).join(" ");
}
