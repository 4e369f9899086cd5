const KEPT = 4;

/** Buffers of one size, used again: V8 would let those of many uploads pile up before it frees one. */
export class BufferPool {
  readonly size: number;
  readonly #idle: Buffer[] = [];

  constructor(size: number) {
    this.size = size;
  }

  /** Two buffers, made when they are asked for. Dispose of the pair when nobody looks at them any more. */
  lend(): BufferPair {
    return new BufferPair(
      () => this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.size),
      (buffer) => this.#idle.length < KEPT && this.#idle.push(buffer),
    );
  }
}

export class BufferPair implements Disposable {
  readonly #buffers: Buffer[] = [];
  readonly #take: () => Buffer;
  readonly #give: (buffer: Buffer) => void;

  constructor(take: () => Buffer, give: (buffer: Buffer) => void) {
    this.#take = take;
    this.#give = give;
  }

  /** The one and the other in turn. */
  at(turn: number): Buffer {
    return (this.#buffers[turn % 2] ??= this.#take());
  }

  [Symbol.dispose](): void {
    this.#buffers.forEach(this.#give);
  }
}
