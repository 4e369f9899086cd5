/** The smallest part of an upload that S3 takes, but for the last one. */
export const PART_BYTES = 5_242_880;

/**
 * Cuts a stream into parts of equal size and a last one. Two buffers take turns: a part is good until the one after
 * the next is asked for. Otherwise an upload of any size would leave garbage of that size behind.
 */
export async function* partsOf(
  body: AsyncIterable<Buffer>,
  size: number,
): AsyncGenerator<Buffer, undefined> {
  const buffers: Buffer[] = [];
  let count = 0;
  let used = 0;
  for await (const chunk of body) {
    for (let start = 0; start < chunk.length;) {
      const buffer = (buffers[count % 2] ??= Buffer.allocUnsafeSlow(size));
      const copied = chunk.copy(buffer, used, start);
      start += copied;
      used += copied;
      if (used < size) continue;
      yield buffer;
      count += 1;
      used = 0;
    }
  }
  if (used > 0) yield buffers[count % 2]!.subarray(0, used);
  return undefined;
}
