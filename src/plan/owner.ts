import type { Owner } from "./tree.ts";

/** Whose file this is, by the manifest's list of paths and patterns. */
export function ownerOf(path: string, once: readonly string[]): Owner {
  return once.some((pattern) => matchesPattern(path, pattern)) ? "once" : "merged";
}

/** Whether a pattern means this path. `*` is one part of it, and `/**` at the end all below. */
export function matchesPattern(path: string, pattern: string): boolean {
  const [start = ""] = pattern.split("*", 1);
  if (!path.startsWith(start)) {
    return false;
  }
  const wanted = pattern.split("/");
  const parts = path.split("/");
  const below = wanted.at(-1) === "**";
  const fixed = below ? wanted.slice(0, -1) : wanted;
  const lengthFits = below ? parts.length > fixed.length : parts.length === fixed.length;
  return lengthFits && fixed.every((part, index) => part === "*" || part === parts[index]);
}
