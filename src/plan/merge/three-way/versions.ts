import semver from "semver";

import type { Choice } from "./node.ts";

/** The higher of two version ranges; undefined when one of them is none. */
export function chooseVersion(mine: unknown, theirs: unknown): Choice | undefined {
  const [own, other] = [mine, theirs].map(lowest);
  if (!own || !other) {
    return undefined;
  }
  const take = semver.gt(other, own) ? "theirs" : "mine";
  const higher = take === "theirs" ? "the template's" : "yours";
  const why = `${higher} is the higher one and was taken`;
  return { take, why: own.major === other.major ? why : `${why}, though the major differs` };
}

function lowest(range: unknown): semver.SemVer | null {
  return typeof range === "string" && semver.validRange(range) !== null && range.trim() !== ""
    ? semver.minVersion(range)
    : null;
}
