const SHOWN_LENGTH = 40;

/** A value as it may stand in a message: quoted, on one line, and not longer than it. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH).toWellFormed()}…` : text;
}

// Control characters, and what turns the direction of writing or hides: a file's name or a program's
// output could move the cursor with them, forge a line of ours, or show another command than it is.
const HIDDEN =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/g;

/** A text as it may be printed, on one line: what a terminal would obey is spelled out. */
export function visible(text: string): string {
  return text.replace(
    HIDDEN,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The word that was probably meant, if one is near enough. */
export function closest(text: string, words: readonly string[]): string | undefined {
  const near = words
    .map((word) => ({ word, distance: distanceOf(text.slice(0, SHOWN_LENGTH), word) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return near && near.distance <= near.word.length / 2 && near.distance <= 3
    ? near.word
    : undefined;
}

/** Levenshtein's distance: how many letters to add, drop or change. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of a.split("").entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split("").entries()) {
      const change = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** Names that were given one by one, or several in one with commas between them. */
export function namesIn(given: readonly string[]): string[] {
  return given.flatMap((text) => text.split(",")).filter((name) => name !== "");
}
