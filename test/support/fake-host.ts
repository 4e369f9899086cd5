import type { Host } from "../../src/cli/host.ts";
import { Report, type Screen } from "../../src/cli/report.ts";
import { run } from "../../src/cli/main.ts";
import type {
  CommandOptions,
  CommandResult,
  CommandRunner,
  HttpAnswer,
  Network,
  Prompter,
  TextQuestion,
} from "../../src/ports.ts";
import { FakeProcesses } from "./fake-processes.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { templates } from "./templates.ts";

/** Remembers what was run, and answers as scripted: the first script whose words fit. */
export class FakeCommands implements CommandRunner {
  readonly calls: string[] = [];
  readonly signals: string[] = [];
  /** What `capture` gives, by command line. */
  readonly captured: Record<string, Uint8Array> = {};
  readonly scripts: Record<string, Partial<CommandResult>>;
  onRun: (line: string, options: CommandOptions) => void = () => undefined;

  constructor(scripts: Record<string, Partial<CommandResult>> = {}) {
    const nowhere = { "git rev-parse": { exitCode: 128 }, "check-ignore": { exitCode: 1 } };
    this.scripts = { ...nowhere, ...scripts };
  }

  async run(program: string, args: readonly string[], options: CommandOptions) {
    const line = [program, ...args].join(" ");
    this.calls.push(line);
    this.onRun(line, options);
    const script = Object.keys(this.scripts).find((words) => line.includes(words));
    return { exitCode: 0, found: true, output: "", ...(script && this.scripts[script]) };
  }

  async capture(program: string, args: readonly string[]) {
    const line = [program, ...args].join(" ");
    this.calls.push(line);
    return this.captured[line];
  }

  start(program: string, args: readonly string[], options: CommandOptions) {
    const { promise, resolve } = Promise.withResolvers<CommandResult>();
    void this.run(program, args, options).then((result) => {
      for (const line of result.output.split("\n")) {
        options.onLine?.(line);
      }
      if (result.exitCode !== 0) {
        resolve(result);
      }
      return result;
    });
    const stop = (signal: NodeJS.Signals) => {
      this.signals.push(signal);
      resolve({ exitCode: 0, found: true, output: "" });
    };
    return { stop, ended: promise };
  }
}

/** Types the given answers, each into the next question. */
export class FakePrompter implements Prompter {
  readonly questions: string[] = [];
  readonly refusals: string[] = [];
  /** The choices of each list, by its question. */
  readonly offered: Record<string, string[]> = {};
  readonly #answers: unknown[];

  constructor(answers: unknown[]) {
    this.#answers = answers;
  }

  async text(question: TextQuestion): Promise<string> {
    const typed = this.#next(question.message);
    const text = typed === "" ? (question.default ?? "") : String(typed);
    const problem = question.problem(text) ?? (await question.slowProblem?.(text));
    if (problem !== undefined) {
      this.refusals.push(problem);
      return await this.text(question);
    }
    return text;
  }

  async choose({ message, default: fallback }: { message: string; default: string }) {
    const answer = this.#next(message);
    return typeof answer === "string" && answer !== "" ? answer : fallback;
  }

  async chooseSome({ message, choices }: { message: string; choices: { value: string }[] }) {
    this.offered[message] = choices.map(({ value }) => value);
    return this.#next(message) as string[];
  }

  async confirm({ message, default: fallback }: { message: string; default: boolean }) {
    const answer = this.#next(message);
    return typeof answer === "boolean" ? answer : fallback;
  }

  #next(message: string): unknown {
    this.questions.push(message);
    if (this.#answers.length === 0) {
      throw new Error(`no answer is left for: ${message}`);
    }
    return this.#answers.shift();
  }
}

/** Answers by path; a path that it does not know is 404. */
export class FakeNetwork implements Network {
  readonly requests: string[] = [];
  readonly answers: Record<string, HttpAnswer | undefined>;

  constructor(answers: Record<string, HttpAnswer | undefined> = {}) {
    this.answers = answers;
  }

  async freePorts(count: number) {
    return Array.from({ length: count }, (_, index) => 20_000 + index);
  }

  async request(method: string, url: string) {
    const { pathname, port } = new URL(url);
    this.requests.push(`${method} :${port}${pathname}`);
    return pathname in this.answers ? this.answers[pathname] : { status: 200, body: "{}" };
  }

  async wait() {
    await new Promise((resolve) => void setImmediate(resolve));
  }
}

const NO_ARCHIVE = { versions: [], templates: () => undefined };

export interface FakeRun {
  code: number;
  out: string;
  err: string;
  disk: MemoryDisk;
  commands: FakeCommands;
}

/** Runs a command line against fakes, in the folder /home. */
export async function runFake(
  args: readonly string[],
  given: Partial<Omit<Host, "fs" | "commands" | "prompter">> & {
    disk?: MemoryDisk;
    commands?: FakeCommands;
    prompter?: Prompter;
    terminal?: boolean;
    input?: string;
  } = {},
): Promise<FakeRun> {
  const { disk = new MemoryDisk({ "/home": null }), commands = new FakeCommands() } = given;
  const printed = { out: "", err: "" };
  const screen: Screen = {
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    terminal: given.terminal ?? false,
    columns: () => 80,
    moving: false,
    paint: { cyan: String, dim: String, green: String, red: String },
  };
  const host: Host = {
    cwd: "/home",
    env: {},
    nodeVersion: "26.10.0",
    nodePath: "/usr/local/bin/node",
    interactive: given.prompter !== undefined,
    now: () => 0,
    signal: new AbortController().signal,
    readInput: async () => given.input ?? "",
    templates: async () => templates,
    archive: async () => NO_ARCHIVE,
    changelog: async () => [],
    processes: new FakeProcesses(),
    network: async () => new FakeNetwork(),
    ...given,
    fs: disk,
    commands,
    prompter: async () => given.prompter ?? new FakePrompter([]),
  };
  const code = await run(args, {
    host: async () => host,
    report: async (json) => new Report(screen, json),
  });
  return { code, ...printed, disk, commands };
}
