import { quoteForShell } from "../answers/flags.ts";
import { explainSystem } from "../apply/explain.ts";
import type { GitOutcome } from "../apply/git.ts";
import type { Recovery } from "../apply/recover.ts";
import { messageOf, UserError } from "../errors.ts";
import type { Tree } from "../plan/tree.ts";
import type { CreatePlan } from "./create.ts";
import type { CreateResult } from "./finish.ts";
import {
  bytesOf,
  describeError,
  durationOf,
  serverStarts,
  sizeOf,
  summaryRows,
  treeLines,
} from "./wording.ts";

/** Where text goes. */
export interface Screen {
  out: (text: string) => void;
  err: (text: string) => void;
  /** Lines may be drawn over. */
  moving: boolean;
  paint: Paint;
}

/** The colours that are used; without colour, each gives the text back. */
export type Paint = Record<"cyan" | "dim" | "green" | "red", (text: string) => string>;

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_TIME = 100;
const CLEAR_LINE = "\r\u001B[K";

/** The only place that prints. With `json`, standard output gets one document and nothing else. */
export class Report {
  readonly #screen: Screen;
  readonly json: boolean;

  constructor(screen: Screen, json: boolean) {
    this.#screen = screen;
    this.json = json;
  }

  line(text = ""): void {
    (this.json ? this.#screen.err : this.#screen.out)(`${text}\n`);
  }

  /** The answer to --dry-run. */
  plan(plan: CreatePlan): void {
    if (this.json) {
      this.document({
        plan: {
          directory: plan.place.target,
          answers: plan.answers,
          command: plan.command,
          files: [...plan.tree].map(([path, { bytes, mode, owner }]) => ({
            path,
            bytes: bytes.length,
            executable: mode === 0o755,
            owner,
          })),
        },
      });
      return;
    }
    this.line(`${plan.directory}/`);
    for (const line of treeLines(plan.tree)) {
      this.line(line);
    }
    this.line(`${sizeOf(plan.tree)}; nothing was written`);
  }

  /** What will be made, before the last question. */
  summary(plan: CreatePlan): void {
    this.line();
    for (const [key, value] of summaryRows(plan)) {
      this.line(`  ${this.#screen.paint.dim(key.padEnd(13))} ${value}`);
    }
    this.line();
  }

  written(plan: CreatePlan): void {
    this.good(`Wrote ${plan.directory}: ${sizeOf(plan.tree)}`);
  }

  repository(outcome: GitOutcome): void {
    if (outcome.status === "committed") {
      this.good("Made a repository with a first commit");
    } else if (outcome.status === "initialised") {
      this.line(`- Made a repository without a commit: ${outcome.reason}`);
    } else {
      this.line(`- Made no repository: ${outcome.reason}`);
    }
  }

  check(name: string, milliseconds: number): void {
    this.good(`${name} (${durationOf(milliseconds)})`, "  ");
  }

  /** Shows that work goes on, and in the end how long it took. */
  async progress<Result>(title: string, work: () => Promise<Result>): Promise<Result> {
    const start = performance.now();
    const stop = this.#screen.moving ? this.#spin(title, start) : this.line(`  ${title} …`);
    const result = await work().finally(() => stop?.());
    this.good(`${title} (${durationOf(performance.now() - start)})`);
    return result;
  }

  #spin(title: string, start: number): () => void {
    let frame = 0;
    const draw = () => {
      const sign = FRAMES[frame++ % FRAMES.length] ?? "";
      const seconds = Math.floor((performance.now() - start) / 1000);
      this.#screen.err(`${CLEAR_LINE}${this.#screen.paint.cyan(sign)} ${title} (${seconds} s)`);
    };
    const timer = setInterval(draw, FRAME_TIME);
    return () => {
      clearInterval(timer);
      this.#screen.err(CLEAR_LINE);
    };
  }

  /** The end of a run that went well. */
  done(plan: CreatePlan, result: CreateResult): void {
    const nextSteps = [
      `cd ${quoteForShell(plan.directory)}`,
      ...(result.installed ? [] : [plan.packageManager.install]),
      ...serverStarts(plan.tree),
      `${plan.packageManager.run} dev`,
    ];
    if (this.json) {
      const { place, answers, tree, command } = plan;
      const created = { directory: place.target, files: tree.size, bytes: bytesOf(plan.tree) };
      this.document({ created, answers, ...result, command, nextSteps });
      return;
    }
    this.line();
    // In a checkout, the Node that runs us may be newer than the one in the user's terminal.
    this.line(`Next, with Node ${nodeRangeOf(plan.tree)}:`);
    for (const step of nextSteps) {
      this.line(`  ${step}`);
    }
    this.line();
    this.line("The same again, without questions:");
    this.line(`  ${plan.command}`);
  }

  /** What is left to the user. */
  nextSteps(steps: readonly string[]): void {
    if (steps.length > 0) {
      this.line();
      this.line("Next:");
      steps.forEach((step) => this.line(`  ${step}`));
    }
  }

  /** The document of a run with --json that did something, and may have failed after it. */
  result(done: object, failure: { error: unknown } | undefined): number | undefined {
    if (failure) {
      return this.failure(failure.error, done);
    }
    this.document(done);
    return undefined;
  }

  /** Prints what went wrong, beside what was done before it, and returns the exit code. */
  failure(thrown: unknown, done: object = {}): number {
    const error = explainSystem(thrown);
    const { code, message, hint } = describeError(error);
    if (this.json) {
      this.document({ ...done, error: { code, message, ...(hint !== undefined && { hint }) } });
    } else {
      this.#screen.err(`${this.#screen.paint.red("error:")} ${message}\n`);
      if (hint !== undefined) {
        this.#screen.err(`${this.#screen.paint.cyan("hint:")} ${hint}\n`);
      }
    }
    return error instanceof UserError ? error.exitCode : 1;
  }

  /** What a run before this one left half-done. */
  recovered({ command, outcome, kept, failure }: Recovery): void {
    const why = failure ? `, since it cannot be finished: ${messageOf(failure.error)}` : "";
    this.line(`- \`${command}\` was cut off in the middle; it was now ${outcome}${why}`);
    for (const path of kept) {
      this.line(`- ${path} was edited meanwhile, and stays as it is`);
    }
  }

  /** The one thing on standard output of a run with --json. */
  document(value: object): void {
    this.#screen.out(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** Text for another program, as it is. */
  script(text: string): void {
    this.#screen.out(text);
  }

  /** A unified diff, which is to be piped into other programs. */
  patch(text: string): void {
    const { red, green, cyan } = this.#screen.paint;
    const paints = { "-": red, "+": green, "@": cyan } as Record<string, (line: string) => string>;
    const lines = text.split("\n").map((line) => paints[line[0] ?? ""]?.(line) ?? line);
    this.#screen.out(lines.join("\n"));
  }

  good(text: string, indent = ""): void {
    this.line(`${indent}${this.#screen.paint.green("✓")} ${text}`);
  }

  bad(text: string): void {
    this.line(`${this.#screen.paint.red("✗")} ${text}`);
  }
}

/** What the service asks of Node, as its package.json says it. */
function nodeRangeOf(tree: Tree): string {
  const manifest = Buffer.from(tree.get("package.json")?.bytes ?? "{}").toString("utf8");
  return JSON.parse(manifest).engines?.node ?? "";
}
