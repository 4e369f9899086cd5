import type { CommandOptions, CommandResult, CommandRunner, RunningCommand } from "../ports.ts";

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
  capture: async (program, args, { cwd, env }) => {
    const { execa } = await import("execa");
    const result = await execa(program, args, {
      cwd,
      env: { ...process.env, ...env },
      extendEnv: false,
      stdin: "ignore",
      reject: false,
      encoding: "buffer",
      stripFinalNewline: false,
    });
    return result.exitCode === 0 ? result.stdout : undefined;
  },
};

async function launch(
  program: string,
  args: readonly string[],
  { cwd, env, signal, onLine }: CommandOptions,
): Promise<RunningCommand> {
  // Most runs start no program, and execa is large.
  const { execa } = await import("execa");
  const child = execa(program, args, {
    cwd,
    env: { ...process.env, ...env },
    extendEnv: false,
    stdin: "ignore",
    all: true,
    reject: false,
    ...(signal && { cancelSignal: signal }),
  });
  const forward = async () => {
    for await (const line of child.iterable({ from: "all" })) {
      onLine?.(line);
    }
  };
  if (onLine) {
    void forward().catch(() => undefined);
  }
  const ended = child.then((result): CommandResult => ({
    exitCode: result.exitCode,
    signal: result.signal,
    found: !("code" in result && result.code === "ENOENT"),
    output: result.all ?? "",
  }));
  return { stop: (name) => void child.kill(name), ended };
}
