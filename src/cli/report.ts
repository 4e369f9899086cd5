import { visible } from "../answers/text.ts";
import { explainSystem } from "../apply/explain.ts";
import type { Recovery } from "../apply/recover.ts";
import { InternalError, messageOf, UserError } from "../errors.ts";

/** Where text goes. */
export interface Screen {
  out: (text: string) => void;
  err: (text: string) => void;
  /** Somebody looks at what is printed to `out`. */
  terminal: boolean;
  /** Lines may be drawn over. */
  moving: boolean;
  /** How many characters fit into a line. */
  columns: () => number;
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
    this.#print("", text);
  }

  good(text: string, indent = ""): void {
    this.#print(`${indent}${this.#screen.paint.green("✓")} `, text);
  }

  bad(text: string): void {
    this.#print(`${this.#screen.paint.red("✗")} `, text);
  }

  /** A row of a table of two columns. */
  row(key: string, value: string): void {
    this.#print(`  ${this.#screen.paint.dim(key.padEnd(13))} `, value);
  }

  /** Prints a line, of which only the first part is ours. */
  #print(ours: string, text: string): void {
    (this.json ? this.#screen.err : this.#screen.out)(`${ours}${visible(text)}\n`);
  }

  /** Shows that work goes on, with what it says of itself on the way, and in the end how long it took. */
  async progress<Result>(
    title: string,
    work: (say: (detail: string) => void) => Promise<Result>,
  ): Promise<Result> {
    const start = performance.now();
    let shown = title;
    const stop = this.#screen.moving ? this.#spin(() => shown, start) : this.line(`  ${title} …`);
    const say = (detail: string) => void (shown = `${title}: ${detail}`);
    const result = await work(say).finally(() => stop?.());
    this.good(`${title} (${durationOf(performance.now() - start)})`);
    return result;
  }

  #spin(title: () => string, start: number): () => void {
    let frame = 0;
    const draw = () => {
      const sign = FRAMES[frame++ % FRAMES.length] ?? "";
      const seconds = Math.floor((performance.now() - start) / 1000);
      const time = ` (${seconds} s)`;
      // A line that wraps cannot be drawn over.
      const shown = title().slice(0, Math.max(0, this.#screen.columns() - time.length - 3));
      this.#screen.err(`${CLEAR_LINE}${this.#screen.paint.cyan(sign)} ${shown}${time}`);
    };
    const timer = setInterval(draw, FRAME_TIME);
    return () => {
      clearInterval(timer);
      this.#screen.err(CLEAR_LINE);
    };
  }

  /** What is left to the user. */
  nextSteps(steps: readonly string[]): void {
    if (steps.length > 0) {
      this.line();
      this.line("Next:");
      steps.forEach((step) => this.line(`  ${step}`));
    }
  }

  /** What an earlier run left half-done, and what became of it. */
  recovered({ command, outcome, kept, failure }: Recovery): void {
    const why = failure ? `, because it cannot be finished: ${messageOf(failure.error)}` : "";
    this.line(`- \`${command}\` was interrupted; it is now ${outcome}${why}`);
    for (const path of kept) {
      this.line(`- ${path} was edited in the meantime, and stays as it is`);
    }
  }

  /** The one thing on standard output of a run with --json. */
  document(value: object): void {
    // A line at a time: within one, what is escaped can only be part of a string.
    const lines = JSON.stringify(value, null, 2).split("\n").map(visible);
    this.#screen.out(`${lines.join("\n")}\n`);
  }

  /** The document of a run with --json that did something, and may have failed after it. */
  result(done: object, failure: { error: unknown } | undefined): number | undefined {
    if (failure) {
      return this.failure(failure.error, done);
    }
    this.document(done);
    return undefined;
  }

  /** Prints what went wrong, after what was done before it, and returns the exit code. */
  failure(thrown: unknown, done: object = {}): number {
    const error = explainSystem(thrown);
    const { code, message, hint } = describeError(error);
    if (this.json) {
      this.document({ ...done, error: { code, message, ...(hint !== undefined && { hint }) } });
    } else {
      const lines = message.split("\n").map(visible);
      // Indented, so that no line within a message looks like one of ours.
      const text = lines.join("\n").replaceAll(/\n(?=\S)/g, "\n  ");
      this.#screen.err(`${this.#screen.paint.red("error:")} ${text}\n`);
      if (hint !== undefined) {
        this.#screen.err(`${this.#screen.paint.cyan("hint:")} ${visible(hint)}\n`);
      }
    }
    return error instanceof UserError ? error.exitCode : 1;
  }

  /** Text for another program, as it is. */
  script(text: string): void {
    this.#screen.out(text);
  }

  /** A unified diff: byte for byte for another program, and harmless for a terminal. */
  patch(text: string): void {
    if (!this.#screen.terminal) {
      this.#screen.out(text);
      return;
    }
    const { red, green, cyan } = this.#screen.paint;
    const paints = { "-": red, "+": green, "@": cyan } as Record<string, (line: string) => string>;
    const lines = text.split("\n").map((line) => {
      const shown = visible(line.replace(/\r$/, ""));
      return paints[line[0] ?? ""]?.(shown) ?? shown;
    });
    this.#screen.out(lines.join("\n"));
  }
}

/** As in "240 ms" or "6.2 s". */
export function durationOf(milliseconds: number): string {
  return milliseconds < 1000
    ? `${Math.round(milliseconds)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** An error for the reader: what went wrong and what to do. */
function describeError(error: unknown): { code: string; message: string; hint?: string } {
  if (error instanceof UserError) {
    const { code, message, hint } = error;
    return { code, message, ...(hint !== undefined && { hint }) };
  }
  return {
    code: error instanceof InternalError ? "INTERNAL" : "UNEXPECTED",
    message: `this is a bug in create-fetch-service\n${traceOf(error)}`,
    hint: "please report it, with the lines above, where you got create-fetch-service from",
  };
}

function traceOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const cause = error.cause === undefined ? "" : `\ncaused by ${traceOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
