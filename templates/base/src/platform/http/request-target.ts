const ORIGIN = /^https?:\/\/[^/?#]+/i;
/** Characters that mean nothing in a path, which most clients encode all the same: `%3A` for a colon. RFC 3986, 3.3. */
const ENCODED = /%(?:2[1246-9A-C]|3[ABD]|40)/gi;

/**
 * The path and query of a request target, also where a proxy sent the origin before it; RFC 9112, 3.2.2. Done here,
 * because frameworks differ in what they let pass, and change their minds.
 * @returns `*` as it is, and undefined for what is no target at all.
 */
export function originForm(target: string): string | undefined {
  if (target.startsWith("/")) return target.includes("%") ? plainPath(target) : target;
  if (target === "*") return target;
  if (!ORIGIN.test(target) || target.includes("#") || !URL.canParse(target)) return undefined;
  const path = target.replace(ORIGIN, "");
  return plainPath(path.startsWith("/") ? path : `/${path}`);
}

/** A target whose path is written as routes are: routers compare text. */
function plainPath(target: string): string {
  const end = target.indexOf("?");
  const path = end === -1 ? target : target.slice(0, end);
  const query = end === -1 ? "" : target.slice(end);
  return path.replaceAll(ENCODED, decodeURIComponent) + query;
}
