import { createProgram } from "./program.ts";
import type { Host } from "./host.ts";
import type { Report } from "./report.ts";
import { catalogue, version } from "./templates.ts";

/** What a command line runs in. Both are loaded only when there is something to do or to say. */
export interface Surroundings {
  host: () => Promise<Host>;
  report: (json: boolean) => Promise<Report>;
}

/** Runs a command line, and returns its exit code. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const report = () => surroundings.report(args.includes("--json"));
  let exitCode = 0;
  const program = createProgram(catalogue, version, {
    create: async (options) => {
      const { create } = await import("./create.ts");
      await create(await surroundings.host(), await report(), options);
    },
    service: async (words, options) => {
      const command = await words.load();
      exitCode = await command(await surroundings.host(), await report(), options);
    },
    completion: async (shell, words) => {
      const { completionFor } = await import("./completion.ts");
      const names = catalogue.integrations.map(({ name }: { name: string }) => name);
      (await report()).script(completionFor(shell, words, names));
    },
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    return isHelp(error) ? 0 : (await report()).failure(error);
  }
}

/** Commander ends --help and --version with an error of exit code 0. */
function isHelp(error: unknown): boolean {
  return error instanceof Error && "exitCode" in error && error.exitCode === 0;
}
