/** A decoded message: each field's values in order. Nested messages stay bytes. */
export type Fields = Map<number, (bigint | Buffer)[]>;

/** Reads the wire format of protocol buffers, just as much as traces need. */
export function decode(bytes: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;

  function varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(bytes.readUInt8(at));
      at += 1;
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return value;
    }
  }
  function take(length: number): Buffer {
    if (at + length > bytes.length) throw new RangeError("the message is cut short");
    at += length;
    return bytes.subarray(at - length, at);
  }
  const read: Record<number, () => bigint | Buffer> = {
    0: varint,
    1: () => take(8),
    2: () => take(Number(varint())),
    5: () => take(4),
  };

  while (at < bytes.length) {
    const tag = Number(varint());
    const value = read[tag & 7]?.();
    if (value === undefined) throw new RangeError(`wire type ${tag & 7} is not in use`);
    const field = tag >> 3;
    const values = fields.get(field);
    if (values === undefined) fields.set(field, [value]);
    else values.push(value);
  }
  return fields;
}

/** The nested messages of a field. */
export function messages(fields: Fields, number: number): Fields[] {
  return (fields.get(number) ?? []).map((value) => decode(value as Buffer));
}

/** The bytes of a field; none when it is missing. */
export function bytesOf(fields: Fields, number: number): Buffer {
  const value = fields.get(number)?.at(-1);
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

/** A field as text; empty when it is missing. */
export function textOf(fields: Fields, number: number): string {
  return bytesOf(fields, number).toString("utf8");
}

/** A field as a number; 0 when it is missing. */
export function numberOf(fields: Fields, number: number): number {
  const value = fields.get(number)?.at(-1);
  return typeof value === "bigint" ? Number(value) : 0;
}
