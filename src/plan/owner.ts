import type { Owner } from "./tree.ts";

/** Whose file this is, by the manifest's list of paths and `folder/**` patterns. */
export function ownerOf(path: string, once: readonly string[]): Owner {
  return once.some((pattern) => matches(path, pattern)) ? "once" : "merged";
}

function matches(path: string, pattern: string): boolean {
  return pattern.endsWith("/**") ? path.startsWith(pattern.slice(0, -2)) : path === pattern;
}
