const ESCAPE = /%[0-9a-f]{2}/gi;
/** The one character that makes Express parse the target in another way, which turns backslashes around. */
const SPACE = "\u00A0";
const UNRESERVED = /[\w.~-]/;
/** What clients should not send as it is, and some do. */
const UNSAFE = /["<>[\\\]^`{|}]/g;

/**
 * A request target for the router, which compares paths as they are written: its path decoded where that changes no
 * meaning (`/%68ealth` is `/health`, `%2f` becomes `%2F`), and its query as it came.
 * @returns undefined when the path cannot be decoded.
 */
export function normalTarget(target: string): string | undefined {
  const end = target.slice(1).search(/[?#]/) + 1;
  if (end === 0) return normalPath(target);
  const path = normalPath(target.slice(0, end));
  // Not a fragment: those stay with the client; RFC 9110, 7.1.
  const query = target
    .slice(end + 1)
    .replaceAll("#", "%23")
    .replaceAll(SPACE, "%C2%A0");
  if (path === undefined || query === "") return path;
  return `${path}?${query}`;
}

/** What follows the question mark of a target. */
export function queryOf(target: string): string {
  const start = target.indexOf("?");
  return start === -1 ? "" : target.slice(start + 1);
}

function normalPath(path: string): string | undefined {
  const safe = path.replaceAll(SPACE, "%C2%A0").replaceAll(UNSAFE, encodeURIComponent);
  if (!safe.includes("%")) return safe;
  if (!canBeDecoded(safe)) return undefined;
  return safe.replaceAll(ESCAPE, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return UNRESERVED.test(character) ? character : escape.toUpperCase();
  });
}

function canBeDecoded(path: string): boolean {
  try {
    // The result is looked at because the bundler drops a call that nobody wants the result of.
    return decodeURI(path) !== "";
  } catch {
    return false;
  }
}
