import { join } from "node:path";

import { type IPty, spawn } from "@lydell/node-pty";

const CLI = join(import.meta.dirname, "../../bin/create-fetch-service.js");

/** A real pseudo-terminal in which the command runs as a person would see it. */
export class Terminal {
  readonly #pty: IPty;
  readonly ended: Promise<{ exitCode: number; signal?: number | undefined }>;
  #raw = "";
  #read = 0;
  #wake: () => void = () => undefined;

  /** @param program what runs instead of the command. */
  constructor(
    args: string[],
    cwd: string,
    env: Record<string, string> = {},
    cols = 120,
    program = CLI,
  ) {
    this.#pty = spawn(process.execPath, [program, ...args], {
      cwd,
      cols,
      rows: 40,
      env: { PATH: process.env["PATH"], HOME: cwd, TERM: "xterm-256color", ...env },
    });
    this.ended = new Promise((resolve) => void this.#pty.onExit(resolve));
    this.#pty.onData((data) => {
      this.#raw += data;
      this.#wake();
    });
  }

  /** Everything that was ever printed, with its control sequences. */
  get raw(): string {
    return this.#raw;
  }

  /** Waits until this text appears, after what was seen before. */
  async see(text: string): Promise<void> {
    for (;;) {
      const at = this.#plain().indexOf(text, this.#read);
      if (at >= 0) {
        this.#read = at + text.length;
        return;
      }
      const over = await Promise.race([
        new Promise<false>((resolve) => (this.#wake = () => resolve(false))),
        this.ended.then(() => true),
      ]);
      if (over && !this.#plain().includes(text, this.#read)) {
        throw new Error(`it ended without "${text}":\n${this.#plain()}`);
      }
    }
  }

  type(text: string): void {
    this.#pty.write(text);
  }

  kill(signal: string): void {
    this.#pty.kill(signal);
  }

  #plain(): string {
    // oxlint-disable-next-line no-control-regex
    return this.#raw.replaceAll(/\u001B\[[\d;?]*[A-Za-z]/g, "");
  }
}

export const ENTER = "\r";
export const CTRL_C = "\u0003";
