const KEPT = 4;

/** Buffers of one size, used again: V8 would let those of many uploads pile up before it frees one. */
export class BufferPool {
  readonly #size: number;
  readonly #idle: Buffer[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** A buffer of one's own. Dispose of the loan when nobody looks at it any more. */
  lend(): Disposable & { buffer: Buffer } {
    const buffer = this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.#size);
    return {
      buffer,
      [Symbol.dispose]: () => {
        if (this.#idle.length < KEPT) this.#idle.push(buffer);
      },
    };
  }
}
