import type { CommandOptions, CommandRunner, RunningCommand } from "../ports.ts";

/** Real programs. They end with this process, and their failure is a result. */
export const commands: CommandRunner = {
  // A package manager that ignores the request to end is killed after execa's five seconds.
  run: (program, args, options) => launch(program, args, options, true).ended,
  // A service drains as long as it needs; whoever started it decides when to kill it.
  start: (program, args, options) => launch(program, args, options, false),
  capture: async (program, args, options) => {
    const execa = await loadExeca();
    const { exitCode, stdout } = await execa(program, args, {
      ...optionsOf(options),
      encoding: "buffer",
      stripFinalNewline: false,
    });
    return exitCode === 0 ? stdout : undefined;
  },
};

function launch(
  program: string,
  args: readonly string[],
  options: CommandOptions,
  forceKillAfterDelay: boolean,
): RunningCommand {
  const onLine = function* (line: unknown) {
    options.onLine?.(String(line));
    yield line;
  };
  const launched = loadExeca().then((execa) => {
    const child = execa(program, args, {
      ...optionsOf(options),
      all: true,
      lines: true,
      stdout: onLine,
      stderr: onLine,
      forceKillAfterDelay,
    });
    // In an object, because execa's child is itself a promise.
    return { child };
  });
  return {
    stop: (signal) => void launched.then(({ child }) => child.kill(signal)),
    ended: launched.then(async ({ child }) => {
      const { exitCode, signal, code, all } = await child;
      return { exitCode, signal, found: code !== "ENOENT", output: all.join("\n") };
    }),
  };
}

// Most runs start no program.
async function loadExeca() {
  return (await import("execa")).execa;
}

function optionsOf({ cwd, env, signal, input = "" }: CommandOptions) {
  return {
    cwd,
    reject: false,
    input,
    ...(env && { env }),
    ...(signal && { cancelSignal: signal }),
  } as const;
}
