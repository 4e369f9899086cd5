import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { fileURLToPath } from "node:url";

/**
 * A place in a script as "file:line:column", counted from 1; in the TypeScript source when the build left a map
 * beside the script.
 * @param line counted from 0, as the inspector does; `column` too.
 */
export function originalPosition(url: string, line: number, column: number): string {
  if (!url.startsWith("file:")) return `${url}:${line + 1}:${column + 1}`;
  const file = fileURLToPath(url);
  try {
    const payload = JSON.parse(readFileSync(`${file}.map`, "utf8")) as SourceMapPayload;
    const entry = new SourceMap(payload).findEntry(line, column);
    if ("originalSource" in entry) {
      const source = new URL(entry.originalSource, url);
      return `${fileURLToPath(source)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
    }
  } catch {
    // No map: the script is what was written (type stripping keeps every position).
  }
  return `${file}:${line + 1}:${column + 1}`;
}
