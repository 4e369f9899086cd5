import { isatty } from "node:tty";

/** The service cannot start as it is set up. `problems` has one line for each thing to mend. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly problems: string[];

  constructor(problems: string[]) {
    super(`the service cannot start:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** Says what is wrong, before there is a logger: to a person in words, to the log pipeline as one JSON line. */
export function printStartError(error: StartError): void {
  if (isatty(2)) {
    process.stderr.write(`error: ${error.message}\n`);
    return;
  }
  const line = {
    timestamp: new Date().toISOString(),
    level: "fatal",
    message: error.message,
    problems: error.problems,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** What binding a port came to, in the words of the setting that chose it. */
export function describeBindError(variable: string, port: number, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const what: Record<string, string> = {
    EADDRINUSE: "is in use by another process",
    EACCES: "needs rights that this user does not have",
    EADDRNOTAVAIL: "cannot be bound: the address is not one of this machine's",
  };
  return `${variable}: port ${port} ${what[code ?? ""] ?? `cannot be bound: ${message}`}`;
}
