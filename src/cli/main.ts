import { UserError } from "../errors.ts";
import { createProgram } from "./program.ts";
import type { Screen } from "./report.ts";
import { catalogue, version } from "./templates.ts";

/** Runs the command line of this process, and sets its exit code. */
export async function main(): Promise<void> {
  const args = process.argv.slice(2);
  // What is behind the command line is loaded only when there is something to do or to say.
  const loadReport = async () => {
    const { Report } = await import("./report.ts");
    return new Report(realScreen(), args.includes("--json"));
  };
  const program = createProgram(catalogue, version, async (options) => {
    const signal = interruptions();
    const [{ create }, { realHost }] = await Promise.all([
      import("./create.ts"),
      import("./real-host.ts"),
    ]);
    await create(realHost(signal), await loadReport(), options);
  });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!isHelp(error)) {
      process.exitCode = (await loadReport()).failure(error);
    }
  }
}

/** Commander ends --help and --version with an error of exit code 0. */
function isHelp(error: unknown): boolean {
  return error instanceof Error && "exitCode" in error && error.exitCode === 0;
}

function realScreen(): Screen {
  // A reader such as `head` that goes away is no error of ours.
  process.stdout.on("error", () => undefined);
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    moving: process.stderr.isTTY && process.env["TERM"] !== "dumb",
    colorful: process.stdout.isTTY && process.stderr.isTTY && !process.env["NO_COLOR"],
  };
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
