/** A text apart from how it is stored. */
export interface Text {
  lines: string[];
  /** The line ends as they stand, one for each line; the last may be missing. */
  ends: string[];
  byteOrderMark: string;
}

const BYTE_ORDER_MARK = "\u{FEFF}";

/** The text of these bytes; undefined when they are no text in UTF-8. */
export function decode(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Takes a text apart into lines, line ends and byte order mark. */
export function split(source: string): Text {
  const byteOrderMark = source.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : "";
  const parts = source.slice(byteOrderMark.length).split(/(\r?\n)/);
  const lines = parts.filter((_, index) => index % 2 === 0);
  const ends = parts.filter((_, index) => index % 2 === 1);
  // A text that ends with a newline has no line after it.
  return lines.at(-1) === ""
    ? { lines: lines.slice(0, -1), ends, byteOrderMark }
    : { lines, ends, byteOrderMark };
}

/** How a text's lines mostly end. */
export function usualEnd(ends: readonly string[]): string {
  const windows = ends.filter((end) => end === "\r\n").length;
  return windows * 2 > ends.length ? "\r\n" : "\n";
}

/** The same text with plain line ends, one of them at the end, and without a byte order mark. */
export function plain(source: string): string {
  return split(source)
    .lines.map((line) => `${line}\n`)
    .join("");
}

/** Whether two files are the same to the last byte. */
export function equal(one: Uint8Array, two: Uint8Array): boolean {
  return Buffer.compare(one, two) === 0;
}

/** Whether two files say the same, however their lines end: git may rewrite ends on every checkout. */
export function sameText(one: Uint8Array, two: Uint8Array): boolean {
  if (equal(one, two)) {
    return true;
  }
  const [first, second] = [one, two].map(decode);
  return first !== undefined && second !== undefined && plain(first) === plain(second);
}

/**
 * Gives plain text the byteOrderMark, the line ends and the last newline that it shall have: the user's, unless
 * only the template changed them.
 */
export function restyle(text: string, base: string, mine: string, theirs: string): string {
  const [was, own, other] = [split(base), split(mine), split(theirs)];
  const pick = <Style>(of: (from: Text) => Style) => (of(own) === of(was) ? of(other) : of(own));
  const end = pick(({ ends }) => usualEnd(ends));
  const closed = pick(({ lines, ends }) => ends.length >= lines.length);
  const body = text.replaceAll("\n", end);
  return (
    pick(({ byteOrderMark }) => byteOrderMark) + (closed ? body : body.replace(/(?:\r?\n)$/, ""))
  );
}
