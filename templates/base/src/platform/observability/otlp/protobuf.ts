/** Bytes that a length takes: always three, so that a message can be written before its length is known. */
const LENGTH_BYTES = 3;
const MAX_LENGTH = 2 ** (7 * LENGTH_BYTES) - 1;

const LENGTH_DELIMITED = 2;
const FIXED64 = 1;
const FIXED32 = 5;

/** Writes protocol buffers into one growing buffer; https://protobuf.dev/programming-guides/encoding/. */
export class ProtobufWriter {
  #buffer = Buffer.allocUnsafe(16_384);
  #length = 0;

  /** How many bytes were written. */
  get length(): number {
    return this.#length;
  }

  /** A copy of what was written. The writer is empty afterwards. */
  take(): Buffer {
    const bytes = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return bytes;
  }

  /** Starts a nested message. @returns what `end` needs. */
  begin(field: number): number {
    this.#tag(field, LENGTH_DELIMITED);
    this.#length += LENGTH_BYTES;
    return this.#length;
  }

  /** @throws {RangeError} for a message of 2 MiB or more. */
  end(start: number): void {
    this.#setLength(start, this.#length - start);
  }

  varint(field: number, value: number): void {
    this.#tag(field, 0);
    if (value < 0) return this.#negative(value);
    this.#varint(value);
  }

  double(field: number, value: number): void {
    this.#tag(field, FIXED64);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
  }

  /** Seconds and nanoseconds, as nanoseconds in 64 bits. */
  time(field: number, [seconds, nanoseconds]: readonly [number, number]): void {
    this.#tag(field, FIXED64);
    // By halves, because the whole is beyond what a number holds exactly, and BigInt is slow.
    const upper = Math.floor(seconds / 2 ** 16) * 1e9;
    const low = (upper % 2 ** 16) * 2 ** 16 + (seconds % 2 ** 16) * 1e9 + nanoseconds;
    const high = Math.floor(upper / 2 ** 16) + Math.floor(low / 2 ** 32);
    this.#length = this.#buffer.writeUInt32LE(low % 2 ** 32, this.#length);
    this.#length = this.#buffer.writeUInt32LE(high, this.#length);
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, FIXED32);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
  }

  string(field: number, text: string, encoding: "utf8" | "hex" = "utf8"): void {
    this.#tag(field, LENGTH_DELIMITED, text.length * 3);
    const start = (this.#length += LENGTH_BYTES);
    this.#length += this.#buffer.write(text, start, encoding);
    this.#setLength(start, this.#length - start);
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.#tag(field, LENGTH_DELIMITED, bytes.length);
    const start = (this.#length += LENGTH_BYTES);
    this.#buffer.set(bytes, start);
    this.#length += bytes.length;
    this.#setLength(start, bytes.length);
  }

  #tag(field: number, type: number, content = 0): void {
    const needed = this.#length + content + 32;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    this.#varint(field * 8 + type);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.#buffer[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#length++] = rest;
  }

  // Two's complement in 64 bits, ten bytes long.
  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.#buffer[this.#length++] = Number(rest & 127n) + 128;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  #setLength(start: number, length: number): void {
    if (length > MAX_LENGTH) throw new RangeError(`a message of ${length} bytes is too long`);
    this.#buffer[start - 3] = (length & 127) + 128;
    this.#buffer[start - 2] = ((length >> 7) & 127) + 128;
    this.#buffer[start - 1] = length >> 14;
  }
}
