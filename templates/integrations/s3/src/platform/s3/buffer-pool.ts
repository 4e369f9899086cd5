import { AppError } from "../errors.ts";

const KEPT = 4;

/** Buffers of one size, used again: V8 would let those of many uploads pile up before it frees one. */
export class BufferPool {
  readonly #size: number;
  readonly #limit: number;
  readonly #idle: Buffer[] = [];
  #lent = 0;

  /** @param limit how many may be lent at once. */
  constructor(size: number, limit: number) {
    this.#size = size;
    this.#limit = limit;
  }

  /**
   * A buffer of one's own. Dispose of the loan when nobody looks at it any more.
   * @throws {AppError} OVERLOADED when all are lent.
   */
  lend(): Disposable & { buffer: Buffer } {
    if (this.#lent === this.#limit) {
      throw new AppError("OVERLOADED", "Too many uploads at once", {
        headers: { "Retry-After": "1" },
      });
    }
    const buffer = this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.#size);
    this.#lent += 1;
    return {
      buffer,
      [Symbol.dispose]: () => {
        this.#lent -= 1;
        if (this.#idle.length < KEPT) this.#idle.push(buffer);
      },
    };
  }
}
