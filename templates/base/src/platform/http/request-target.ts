const ORIGIN = /^https?:\/\/[^/?#]+/i;

/**
 * The path and query of a request target, also where a proxy sent the origin before it; RFC 9112, 3.2.2. Done here,
 * because frameworks differ in what they let pass, and change their minds.
 * @returns `*` as it is, and undefined for what is no target at all.
 */
export function originForm(target: string): string | undefined {
  if (target.startsWith("/") || target === "*") return target;
  if (!ORIGIN.test(target) || target.includes("#") || !URL.canParse(target)) return undefined;
  const path = target.replace(ORIGIN, "");
  return path.startsWith("/") ? path : `/${path}`;
}
