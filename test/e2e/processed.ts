import { readFile, rm } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the services' handler of the tests has processed, told by itself. */
export interface Processed extends AsyncDisposable {
  /** The file that it writes to: its variable PROCESSED. */
  path: string;
  /** Ids in the order in which they were processed, some of them more than once. */
  ids: () => Promise<string[]>;
}

/** A place for the handler to write to, which outlives its process. */
export function openProcessed(): Processed {
  const path = join(tmpdir(), `processed-${randomUUID()}`);
  return {
    path,
    ids: async () => {
      const text = await readFile(path, "utf8").catch(() => "");
      return text.split("\n").slice(0, -1);
    },
    [Symbol.asyncDispose]: () => rm(path, { force: true }),
  };
}

/** How processing went: none missing is the promise, duplicates are its price. */
export function compare(
  sent: Iterable<string>,
  processed: string[],
): { missing: string[]; duplicates: number } {
  const seen = new Set(processed);
  return {
    missing: [...sent].filter((id) => !seen.has(id)),
    duplicates: processed.length - seen.size,
  };
}
