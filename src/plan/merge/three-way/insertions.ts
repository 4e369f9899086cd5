import { type Clash } from "./text.ts";

// Lines that mean the same in any order: imports, and items of a list that all end with a comma.
const IMPORT = /^(?:import|export) .*["'];?$/;
const ITEM = /^\s+(?:\.\.\.)?[\w$.]+(?:: [^{}()[\]]*)?,$/;

/** Both sides put lines at one place: of code, both stay when their order cannot matter. */
export function keepUnorderedCode({ base, mine, theirs }: Clash): string[] | undefined {
  const both = [...mine, ...theirs];
  const areAll = (form: RegExp) => both.every((line) => form.test(line));
  const unordered = areAll(IMPORT) || (areAll(ITEM) && !disagree(mine, theirs));
  return base.length === 0 && unordered ? union(mine, theirs) : undefined;
}

/** Both sides have an item of one name, each with another value. */
function disagree(mine: readonly string[], theirs: readonly string[]): boolean {
  const own = new Map(mine.map((line) => [nameOf(line), line.trim()]));
  return theirs.some((line) => (own.get(nameOf(line)) ?? line.trim()) !== line.trim());
}

function nameOf(line: string): string | undefined {
  return /^[^:,]+/.exec(line.trim())?.[0];
}

/** Both sides put lines at one place: of prose, both stay. */
export function keepProse({ base, mine, theirs }: Clash): string[] | undefined {
  if (base.length > 0) {
    return undefined;
  }
  const rows = [...mine, ...theirs].every((line) => /^\s*(?:[|*-]|\d+\.)/.test(line));
  const gap = rows || mine.at(-1) === "" || theirs[0] === "" ? [] : [""];
  return [...mine, ...gap, ...theirs];
}

/** Both sides put entries of the same depth at one place of a YAML file: both stay. */
export function keepYaml({ base, mine, theirs }: Clash): string[] | undefined {
  const [own, other] = [mine, theirs].map((lines) => lines.find((line) => /^ *[^\s#]/.test(line)));
  const entries = [own, other].every(
    (line) => line !== undefined && /^ *(?:- |[\w.-]+:)/.test(line),
  );
  return base.length === 0 && entries && depthOf(own) === depthOf(other)
    ? [...mine, ...theirs]
    : undefined;
}

function depthOf(line = ""): number {
  return line.search(/[^ ]/);
}

function union(mine: readonly string[], theirs: readonly string[]): string[] {
  return [...mine, ...theirs.filter((line) => !mine.includes(line))];
}
