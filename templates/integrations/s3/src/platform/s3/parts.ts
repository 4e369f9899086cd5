import { collectChunks } from "./collect-chunks.ts";

/** The smallest part of an upload that S3 takes, but for the last one. */
export const PART_BYTES = 5_242_880;

const COLLECTED_BYTES = 1_048_576;

export interface Part {
  /** Good until the next part is asked for. */
  bytes: Buffer;
  last: boolean;
}

/** Cuts a stream into parts of the size of `buffer`, which holds one after the other, and a last one. */
export async function* partsOf(
  body: AsyncIterable<Buffer>,
  buffer: Buffer,
): AsyncGenerator<Part, undefined> {
  let used = 0;
  let garbage = 0;
  for await (const chunk of body) {
    for (let start = 0; start < chunk.length;) {
      if (used === buffer.length) {
        yield { bytes: buffer, last: false };
        used = 0;
      }
      const copied = chunk.copy(buffer, used, start);
      start += copied;
      used += copied;
    }
    garbage += chunk.length;
    if (garbage < COLLECTED_BYTES) continue;
    collectChunks();
    garbage = 0;
  }
  if (used > 0) yield { bytes: buffer.subarray(0, used), last: true };
  return undefined;
}
