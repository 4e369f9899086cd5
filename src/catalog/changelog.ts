import semver from "semver";

/** What one version changed in the services that it writes. */
export interface ChangelogEntry {
  version: string;
  changes: string[];
}

/** What changed after one version, up to and with another; the newest first. */
export function changesBetween(
  changelog: readonly ChangelogEntry[],
  from: string,
  to: string,
): ChangelogEntry[] {
  return changelog
    .filter(({ version }) => semver.compare(version, from) > 0 && semver.compare(version, to) <= 0)
    .sort((a, b) => semver.compare(b.version, a.version));
}
