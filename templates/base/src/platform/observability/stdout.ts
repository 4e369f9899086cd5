import { fstatSync, writeSync } from "node:fs";

/** Takes whole lines, each with its line feed. */
export interface Output {
  write(lines: string): void;
}

/** PIPE_BUF: so much goes into a pipe in one piece, whoever else writes to it. */
const PIPE_BYTES = 4_096;
const RETRY_MS = 5;
const LINE_FEED = 10;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes to `fd` at once, because lines that wait in memory are lost in a crash. All processes of the service share it,
 * and in a pipe that is full, their longer pieces would tear each other apart: a pipe gets whole lines in pieces that it
 * takes as one. Only a single line that is longer than that is at risk. What cannot be written at all is dropped: no
 * request shall fail because nobody reads the log.
 */
export function openOutput(fd: number): { write(lines: string | Buffer): void } {
  const stat = fstatSync(fd);
  const limit = stat.isFIFO() || stat.isSocket() ? PIPE_BYTES : Infinity;
  return {
    write(lines) {
      const bytes = typeof lines === "string" ? Buffer.from(lines) : lines;
      try {
        for (let start = 0; start < bytes.length;) {
          const end = endOfPiece(bytes, start, limit);
          writeAll(fd, bytes.subarray(start, end));
          start = end;
        }
      } catch {
        // The reader is gone, or the disk is full, and there is nobody to tell.
      }
    },
  };
}

export const stdout = openOutput(1);

/** Where the last line ends that fits into `limit`; else the first one. */
function endOfPiece(bytes: Buffer, start: number, limit: number): number {
  if (bytes.length - start <= limit) return bytes.length;
  const last = bytes.lastIndexOf(LINE_FEED, start + limit - 1);
  return last >= start ? last + 1 : bytes.indexOf(LINE_FEED, start) + 1 || bytes.length;
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      // Some process that has the pipe made it non-blocking, and it is full: its reader takes its time.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
}
