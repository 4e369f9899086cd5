import semver from "semver";

import type { Choice } from "./document.ts";

/**
 * The higher of two version ranges, as long as the template's fits the user's: they have versions in
 * common, or at least the major. Undefined when one of them is not a range.
 */
export function chooseVersion(mine: unknown, theirs: unknown): Choice | undefined {
  const [own, other] = [lowest(mine), lowest(theirs)];
  if (!own || !other) {
    return undefined;
  }
  const fits = own.major === other.major || semver.intersects(String(mine), String(theirs));
  if (semver.gt(other, own)) {
    return fits
      ? { take: "theirs", why: "the template's is the higher one and was taken" }
      : { take: "mine", why: "yours stays, since the template's does not fit it" };
  }
  const why = "yours is the higher one and was taken";
  return { take: "mine", why: fits ? why : `${why}, though the major differs` };
}

function lowest(range: unknown): semver.SemVer | null {
  return typeof range === "string" && semver.validRange(range) !== null && range.trim() !== ""
    ? semver.minVersion(range)
    : null;
}
