import type { BufferPair } from "./buffer-pool.ts";
import { collectChunks } from "./collect-chunks.ts";

/** The smallest part of an upload that S3 takes, but for the last one. */
export const PART_BYTES = 5_242_880;

/**
 * Cuts a stream into parts of the buffers' size and a last one. The two buffers take turns: a part is good until the
 * one after the next is asked for.
 */
export async function* partsOf(
  body: AsyncIterable<Buffer>,
  buffers: BufferPair,
): AsyncGenerator<Buffer, undefined> {
  let count = 0;
  let used = 0;
  for await (const chunk of body) {
    for (let start = 0; start < chunk.length;) {
      const buffer = buffers.at(count);
      const copied = chunk.copy(buffer, used, start);
      start += copied;
      used += copied;
      if (used < buffer.length) continue;
      yield buffer;
      collectChunks();
      count += 1;
      used = 0;
    }
  }
  if (used > 0) yield buffers.at(count).subarray(0, used);
  return undefined;
}
