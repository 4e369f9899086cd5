import { execa } from "execa";

/** A program that makes a server: a compiler, or a package manager. */
export interface BuildStep {
  command: [program: string, ...args: string[]];
  cwd?: string;
  env?: Record<string, string>;
  /** What the program is for and where it comes from, for whoever lacks it. */
  needs: string;
}

const TELL_EVERY_MS = 30_000;

/**
 * Runs the steps one after the other, telling how far they are.
 * @param what name and version of what is made, and how long it takes.
 * @throws an error that says what is missing, or what the failing step wrote.
 */
export async function build(what: string, steps: BuildStep[]): Promise<void> {
  const start = Date.now();
  const seconds = (): number => Math.round((Date.now() - start) / 1000);
  let last = "";
  tell(`making ${what}`);
  const timer = setInterval(
    () => tell(`still making ${what}: ${seconds()} s; ${last}`),
    TELL_EVERY_MS,
  );
  try {
    for (const step of steps) await run(what, step, (line) => (last = line));
  } finally {
    clearInterval(timer);
  }
  tell(`made ${what} in ${seconds()} s`);
}

async function run(what: string, step: BuildStep, onLine: (line: string) => void): Promise<void> {
  const { command, cwd, env, needs } = step;
  const [program, ...args] = command;
  const child = execa(program, args, {
    ...(cwd && { cwd }),
    ...(env && { env }),
    stdin: "ignore",
    all: true,
    reject: false,
  });
  child.all.setEncoding("utf8").on("data", (text: string) => {
    onLine(text.trimEnd().split("\n").at(-1) ?? "");
  });
  const { exitCode, all, code } = await child;
  if (code === "ENOENT") throw new Error(`${what} needs ${program}: ${needs}`);
  if (exitCode !== 0) throw new Error(`${what}: ${command.join(" ")} failed:\n${all}`);
}

/** To standard error, which no test runner keeps back. */
export function tell(line: string): void {
  process.stderr.write(`[stack] ${line}\n`);
}
