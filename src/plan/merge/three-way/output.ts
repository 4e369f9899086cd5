import type { Text } from "./encoding.ts";

/** The result so far. Lines of the user's keep their own ends. */
export class Output {
  readonly lines: string[] = [];
  readonly ends: string[] = [];
  conflicts = 0;
  readonly #mine: Text;
  readonly #end: string;
  #position = 0;

  constructor(mine: Text, end: string) {
    this.#mine = mine;
    this.#end = end;
  }

  /** Takes the next lines of the user's. */
  keep(count: number): void {
    const upTo = this.#position + count;
    for (; this.#position < upTo; this.#position += 1) {
      this.lines.push(this.#mine.lines[this.#position] ?? "");
      this.ends.push(this.#mine.ends[this.#position] ?? this.#end);
    }
  }

  skip(count: number): void {
    this.#position += count;
  }

  add(lines: readonly string[]): void {
    this.lines.push(...lines);
    this.ends.push(...lines.map(() => this.#end));
  }
}
