import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";

import type { CommandOptions, CommandResult, CommandRunner, RunningCommand } from "../ports.ts";

/** Between asking a program to end and ending it. */
const FORCE_MS = 5_000;

/** Real programs. */
export const commands: CommandRunner = {
  run: async (program, args, options) => await (await launch(program, args, options)).ended,
  start: (program, args, options) => {
    const launched = launch(program, args, options);
    return {
      stop: (signal) => void launched.then((running) => running.stop(signal)),
      ended: launched.then((running) => running.ended),
    };
  },
  capture: async (program, args, options) => {
    const child = await open(program, args, options);
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr?.resume();
    const { exitCode } = await endOf(child);
    return exitCode === 0 ? Buffer.concat(chunks) : undefined;
  },
};

async function launch(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<RunningCommand> {
  const child = await open(program, args, options);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    readLines(stream, (line) => {
      lines.push(line);
      options.onLine?.(line);
    });
  }
  const ended = endOf(child).then((end) => ({ ...end, output: lines.join("\n") }));
  return { stop: (name) => void child.kill(name), ended };
}

/** Not with node:readline, which may hold the last lines back until the program has been reported as ended. */
function readLines(stream: Readable | null, onLine: (line: string) => void): void {
  let rest = "";
  stream?.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  });
  stream?.once("end", () => {
    if (rest !== "") {
      onLine(rest);
    }
  });
}

/** Starts a program, which ends with this one, or when it is told to. */
async function open(
  program: string,
  args: readonly string[],
  { cwd, env, signal }: CommandOptions,
): Promise<ChildProcess> {
  // Most runs start no program. Not Node's own, which finds no npm on Windows.
  const { default: spawn } = await import("cross-spawn");
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = (): void => void child.kill("SIGKILL");
  const end = (): void => {
    child.kill();
    setTimeout(kill, FORCE_MS).unref();
  };
  process.once("exit", kill);
  signal?.addEventListener("abort", end);
  if (signal?.aborted) {
    end();
  }
  child.once("close", () => {
    process.off("exit", kill);
    signal?.removeEventListener("abort", end);
  });
  return child;
}

function endOf(child: ChildProcess): Promise<Omit<CommandResult, "output">> {
  return new Promise((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      resolve({ exitCode: undefined, found: error.code !== "ENOENT" }),
    );
    child.once("close", (exitCode, signal) =>
      resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined, found: true }),
    );
  });
}
