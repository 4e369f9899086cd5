import semver from "semver";

import type { Choice, Values } from "./document.ts";

/**
 * The higher of two version ranges, as long as the template's fits the user's: they have versions in
 * common, or at least the major. A downgrade of the user's stays, and so does their ^ or ~. Undefined
 * when one of the two is not a range.
 */
export function chooseVersion({ base, mine, theirs }: Values): Choice | undefined {
  const [was, own, other] = [base, mine, theirs].map(lowest);
  if (!own || !other) {
    return undefined;
  }
  if (was && semver.lt(own, was) && !semver.satisfies(was, String(mine))) {
    return { value: mine, why: "yours stays, since you lowered it" };
  }
  const fits = own.major === other.major || semver.intersects(String(mine), String(theirs));
  if (semver.gt(other, own)) {
    return fits
      ? {
          value: withOperator(base, mine, theirs),
          why: "the template's is the higher one and was taken",
        }
      : { value: mine, why: "yours stays, since the template's does not fit it" };
  }
  const why = "yours is the higher one and was taken";
  return { value: mine, why: fits ? why : `${why}, though the major differs` };
}

function lowest(range: unknown): semver.SemVer | null {
  return typeof range === "string" && semver.validRange(range) !== null && range.trim() !== ""
    ? semver.minVersion(range)
    : null;
}

const PLAIN = /^([~^]?)(\d\S*)$/;

/** The template's version, with the user's operator where the user has another than there was. */
function withOperator(...versions: [base: unknown, mine: unknown, theirs: unknown]): unknown {
  const [was, own, other] = versions.map((version) => PLAIN.exec(String(version)));
  return own && other && own[1] !== was?.[1] ? `${own[1]}${other[2]}` : versions[2];
}
