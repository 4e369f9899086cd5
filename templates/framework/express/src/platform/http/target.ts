const ABSOLUTE = /^https?:\/\//i;
const ORIGIN = /^https?:\/\/[^/?#]+/i;
// A path that no route has: every one of them starts with a slash.
const NO_PATH = "*";
const ESCAPE = /%[0-9a-f]{2}/gi;
const UNRESERVED = /[\w.~-]/;

/** A request target, taken apart. */
export interface Target {
  /** Decoded where that changes no meaning: `/%68ealth` is `/health`, `%2f` becomes `%2F`. */
  path: string;
  /** What follows the question mark, as it came. */
  query: string;
}

/**
 * Takes a request target apart for the router, which compares paths as they are written.
 * @returns undefined when the path cannot be decoded.
 */
export function parseTarget(url: string): Target | undefined {
  const relative = url.startsWith("/") ? url : withoutOrigin(url);
  if (relative === undefined) return undefined;
  const end = relative.slice(1).search(/[?#]/) + 1;
  const path = normalPath(end === 0 ? relative : relative.slice(0, end));
  if (path === undefined) return undefined;
  return { path, query: end === 0 ? "" : relative.slice(end + 1) };
}

/** `http://host/path`, as proxies send it, without the host. */
function withoutOrigin(url: string): string | undefined {
  if (!ABSOLUTE.test(url)) return NO_PATH;
  if (!ORIGIN.test(url) || url.includes("#") || !URL.canParse(url)) return undefined;
  const path = url.replace(ORIGIN, "");
  return path.startsWith("/") ? path : `/${path}`;
}

function normalPath(path: string): string | undefined {
  // The one character that makes Express parse the path in another way, which turns backslashes around.
  const safe = path.replaceAll("\u00A0", "%C2%A0");
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
