import { parseArgs, type ParseArgsConfig } from "node:util";
import { SettingsError } from "./settings.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** The arguments of a command. */
export interface CommandInput {
  positionals: string[];
  values: Record<string, unknown>;
}

/** The command cannot be run as it was asked for. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Writes a line for whoever sits in front of it. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/**
 * Runs one of the command line tools in src/commands. The process exits with 0; with 1 when it failed, or 2 when it was
 * asked for something that it does not do.
 */
export async function runCommand(
  help: string,
  options: Options,
  run: (input: CommandInput) => Promise<void>,
): Promise<void> {
  try {
    const input = readArguments(options);
    if (input.values["help"] === true) process.stdout.write(help);
    else await run(input);
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

/** Clients' errors say little, but those below them say what it was. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof SettingsError || error instanceof UsageError) return error.message;
  const below: unknown[] = error instanceof AggregateError ? error.errors : [error.cause];
  const reasons = below.filter((reason) => reason instanceof Error).map(explain);
  return [error.message.replace(/\.$/, ""), ...new Set(reasons)].join(": ");
}
