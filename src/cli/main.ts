import { UserError } from "../errors.ts";
import type { Host } from "./host.ts";
import { createProgram } from "./program.ts";
import type { Paint, Report, Screen } from "./report.ts";
import { catalogue, version } from "./templates.ts";

/** What a command line runs in; loaded only when there is something to do or to print. */
export interface Runtime {
  host: () => Promise<Host>;
  report: (json: boolean) => Promise<Report>;
}

/** Runs the command line of this process, and sets its exit code. */
export async function main(): Promise<void> {
  process.stdout.on("error", outputFailed);
  const exitCode = await run(process.argv.slice(2), {
    host: async () => {
      const signal = interruptions();
      return (await import("./host.ts")).realHost(signal);
    },
    report: async (json) => {
      const { Report } = await import("./report.ts");
      return new Report(await realScreen(), json);
    },
  });
  // It is already set when the output could not be written.
  process.exitCode ||= exitCode;
}

function outputFailed(error: NodeJS.ErrnoException): void {
  // A reader such as `head` may close the pipe early.
  if (error.code !== "EPIPE") {
    process.stderr.write(`error: cannot write the output: ${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Runs a command line, and returns its exit code. */
export async function run(args: readonly string[], runtime: Runtime): Promise<number> {
  const report = () => runtime.report(args.includes("--json"));
  let exitCode = 0;
  const commandLine = createProgram(catalogue, version, {
    create: async (options) => {
      const { create } = await import("./create.ts");
      exitCode = await create(await runtime.host(), await report(), options);
    },
    service: async (entry, options) => {
      const command = await entry.load();
      exitCode = await command(await runtime.host(), await report(), options);
    },
    completion: async (shell, program) => {
      const { completionFor } = await import("./completion.ts");
      const names = catalogue.integrations.map(({ name }: { name: string }) => name);
      (await report()).script(completionFor(shell, program, names));
    },
  });
  try {
    await commandLine.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    return isHelp(error) ? 0 : (await report()).failure(error);
  }
}

/** Commander ends --help and --version with an error of exit code 0. */
function isHelp(error: unknown): boolean {
  return error instanceof Error && "exitCode" in error && error.exitCode === 0;
}

async function realScreen(): Promise<Screen> {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    terminal: process.stdout.isTTY,
    moving: process.stderr.isTTY && process.env["TERM"] !== "dumb",
    columns: () => process.stderr.columns || 80,
    paint: await realPaint(),
  };
}

const same = (text: string) => text;
const PLAIN: Paint = { cyan: same, dim: same, green: same, red: same };

async function realPaint(): Promise<Paint> {
  // Most runs print into a pipe, and need not load what only a terminal shows.
  const isTerminal = process.stdout.isTTY && process.stderr.isTTY;
  return isTerminal ? (await import("../system/colours.ts")).colours : PLAIN;
}

/** The first Ctrl-C or SIGTERM asks the run to clean up and end; the second ends it. */
function interruptions(): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) {
      process.exit(130);
    }
    controller.abort(new UserError("INTERRUPTED", "interrupted; nothing was written"));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  return controller.signal;
}
