import { UserError } from "../errors.ts";
import type { Paint, Screen } from "./report.ts";
import { run } from "./run.ts";

const same = (text: string) => text;
const PLAIN: Paint = { cyan: same, dim: same, green: same, red: same };

/** Runs the command line of this process, and sets its exit code. */
export async function main(): Promise<void> {
  process.exitCode = await run(process.argv.slice(2), {
    host: async () => {
      const signal = interruptions();
      return (await import("./real-host.ts")).realHost(signal);
    },
    report: async (json) => {
      const { Report } = await import("./report.ts");
      return new Report(await realScreen(), json);
    },
  });
}

async function realScreen(): Promise<Screen> {
  // A reader such as `head` that goes away is no error of ours.
  process.stdout.on("error", () => undefined);
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    moving: process.stderr.isTTY && process.env["TERM"] !== "dumb",
    paint: await realPaint(),
  };
}

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
