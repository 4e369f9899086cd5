const SHOWN_LENGTH = 40;

/** A value as it may stand in a message: quoted, on one line, and not longer than it. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH).toWellFormed()}…` : text;
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
