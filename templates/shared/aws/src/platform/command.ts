import { parseArgs, type ParseArgsConfig } from "node:util";
import { readAwsSecrets } from "./aws-secrets.ts";
import { SettingsError } from "./settings.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** The arguments of a command. */
export interface CommandInput {
  positionals: string[];
  values: Record<string, unknown>;
}

/** Wrong arguments. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

// What a terminal takes for a command, for another order of the text, or for nothing at all.
const CONTROLS =
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text of strangers, such as the key of a record, as it may stand in a line. */
export function visible(text: string): string {
  return text.replace(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Writes lines to standard output. What would steer the terminal is spelled out. */
export function print(lines: string): void {
  process.stdout.write(`${visibleLines(lines)}\n`);
}

function visibleLines(lines: string): string {
  return lines.split("\n").map(visible).join("\n");
}

/** Runs one of the command line tools in src/commands. Exit codes: 0 done, 1 failed, 2 wrong arguments. */
export async function runCommand(
  help: string,
  options: Options,
  run: (input: CommandInput) => Promise<void>,
): Promise<void> {
  try {
    const input = readArguments(options);
    if (input.values["help"] === true) {
      process.stdout.write(help);
    } else {
      await readAwsSecrets(process.env);
      await run(input);
    }
  } catch (error) {
    const isUsage = error instanceof UsageError;
    process.stderr.write(`error: ${explain(error)}\n${isUsage ? `\n${help}` : ""}`);
    process.exitCode = isUsage ? 2 : 1;
  }
}

function readArguments(options: Options): CommandInput {
  const all: Options = { ...options, help: { type: "boolean", short: "h" } };
  try {
    return parseArgs({ options: all, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

/** The messages of the error and of its causes: clients' own errors say little. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return visible(String(error));
  const isOurs = error instanceof SettingsError || error instanceof UsageError;
  if (isOurs) return visibleLines(error.message);
  const causes: unknown[] = error instanceof AggregateError ? error.errors : [error.cause];
  const reasons = causes.filter((cause) => cause instanceof Error).map(explain);
  return [visible(error.message).replace(/\.$/, ""), ...new Set(reasons)].join(": ");
}
