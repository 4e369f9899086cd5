import type { Merged, Note } from "./merged.ts";
import { type ConflictRegion, mergeText } from "./text.ts";

/** What makes two lines the same entry; undefined for comments and blank lines. */
type KeyOf = (line: string) => string | undefined;

/** Merges ignore files, in which an entry is its line. */
export function mergeIgnoreFiles(base: string, mine: string, theirs: string): Merged {
  return mergeEntries(base, mine, theirs, (line) => entryOf(line));
}

/** Merges env files, in which an entry is a variable, whatever its value. */
export function mergeEnvFiles(base: string, mine: string, theirs: string): Merged {
  return mergeEntries(base, mine, theirs, (line) => entryOf(line)?.split("=", 1)[0]?.trim());
}

function entryOf(line: string): string | undefined {
  const entry = line.trim();
  return entry === "" || entry.startsWith("#") ? undefined : entry;
}

// A set has no conflicts, so the labels are never written.
const NO_LABELS = { mine: "", theirs: "" };

function mergeEntries(base: string, mine: string, theirs: string, keyOf: KeyOf): Merged {
  const notes: Note[] = [];
  const [was, own] = [base, mine].map((text) => entriesIn(text.split(/\r?\n/), keyOf));
  const isKnown = (line: string) => {
    const key = keyOf(line);
    const old = key === undefined || was?.has(key) ? undefined : own?.get(key);
    note(notes, old, line);
    return old !== undefined;
  };
  // What the user has already, wherever in the file, is not added.
  const news = withoutEntries(theirs, isKnown);
  const resolve = (region: ConflictRegion) => mergeRegion(region, keyOf, notes);
  const { text } = mergeText(base, mine, news, NO_LABELS, resolve);
  const isDeleted = (line: string) => {
    const key = keyOf(line);
    return key !== undefined && was?.has(key) === true && own?.has(key) === false;
  };
  const before = base.split(/\r?\n/);
  const changed = news.split(/\r?\n/).filter((line) => isDeleted(line) && !before.includes(line));
  for (const line of changed) {
    const message = `"${line.trim()}" is new in the template; you deleted it, so it stays deleted`;
    notes.push({ kind: "stays-deleted", message });
  }
  // What the user deleted, or made a comment of, does not come back with another value.
  const lines = text.split(/(?<=\n)/).filter((line) => !isDeleted(line));
  return { text: lines.join(""), conflicts: 0, notes };
}

function entriesIn(lines: readonly string[], keyOf: KeyOf): Map<string, string> {
  return new Map(
    lines.flatMap((line) => {
      const key = keyOf(line);
      return key === undefined ? [] : [[key, line] as const];
    }),
  );
}

/** Leaves entries out, and with them the comments of a block of which nothing else is left. */
function withoutEntries(text: string, isOut: (line: string) => boolean): string {
  const blocks = text.split(/(?<=\n)(?=\n)/);
  return blocks
    .map((block) => {
      const lines = block.split("\n");
      const left = lines.filter((line) => !isOut(line));
      const empty = left.every((line) => entryOf(line) === undefined);
      return left.length < lines.length && empty ? "" : left.join("\n");
    })
    .join("");
}

/** The user's lines, with what the template took away and added. */
function mergeRegion(
  { base, mine, theirs }: ConflictRegion,
  keyOf: KeyOf,
  notes: Note[],
): string[] {
  const news = theirs.filter((line) => !base.includes(line));
  const newest = entriesIn(news, keyOf);
  const kept = mine.flatMap((line) => {
    if (!base.includes(line) || theirs.includes(line)) {
      return [line];
    }
    const newer = newest.get(keyOf(line) ?? "");
    return newer === undefined ? [] : [newer];
  });
  const known = entriesIn(kept, keyOf);
  const added = news.filter((line) => {
    const old = known.get(keyOf(line) ?? "");
    note(notes, old, line);
    return old === undefined;
  });
  return [...kept, ...added];
}

function note(notes: Note[], mine: string | undefined, theirs: string): void {
  if (mine !== undefined && mine.trim() !== theirs.trim()) {
    const message = `"${mine.trim()}" stays; the template has "${theirs.trim()}"`;
    notes.push({ kind: "value", message });
  }
}
