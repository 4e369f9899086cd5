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

/** Writes a line to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
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
  if (!(error instanceof Error)) return String(error);
  if (error instanceof SettingsError || error instanceof UsageError) return error.message;
  const causes: unknown[] = error instanceof AggregateError ? error.errors : [error.cause];
  const reasons = causes.filter((cause) => cause instanceof Error).map(explain);
  return [error.message.replace(/\.$/, ""), ...new Set(reasons)].join(": ");
}
