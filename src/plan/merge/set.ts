import { InternalError } from "../../errors.ts";

/** Joins ignore files: a line that is already there is not repeated. */
export function mergeIgnoreList(below: string | undefined, above: string): string {
  return mergeBlocks(below, above, (line) => line);
}

/** Joins env files: two layers may share a setting, but they must agree on its value. */
export function mergeEnvironment(below: string | undefined, above: string): string {
  return mergeBlocks(below, above, (line) => line.split("=", 1)[0] ?? line);
}

/**
 * Appends the blocks (lines between blank lines) of `above`, without the lines of which the key is
 * already there. A block with nothing but comments left says nothing, so it goes too.
 */
function mergeBlocks(
  below: string | undefined,
  above: string,
  keyOf: (line: string) => string,
): string {
  if (below === undefined) {
    return above;
  }
  const known = new Map(linesOf(below).map((line) => [keyOf(line), line]));
  const isNew = (line: string) => {
    const old = known.get(keyOf(line));
    if (old !== undefined && old !== line) {
      throw new InternalError(`"${old}" in one layer, "${line}" in another`);
    }
    return old === undefined;
  };
  const added = above
    .trim()
    .split(/\n{2,}/)
    .map((block) => block.split("\n").filter((line) => isComment(line) || isNew(line)))
    .filter((lines) => lines.some((line) => !isComment(line)))
    .map((lines) => lines.join("\n"));
  return `${[below.trimEnd(), ...added].join("\n\n")}\n`;
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "" && !isComment(line));
}

function isComment(line: string): boolean {
  return line.startsWith("#");
}
