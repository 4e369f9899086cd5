import semver from "semver";
import { describe, expect, it } from "vitest";

import { changesBetween } from "../../../src/catalog/changelog.ts";
import { builtInArchive, builtInChangelog, version } from "../../../src/cli/templates.ts";

const changelog = await builtInChangelog();
const versions = changelog.map((one) => one.version);

const entry = (name: string) => ({ version: name, changes: [name] });

describe("the changelog of the templates", () => {
  it("has an entry for this version and each one in the archive, which has all before it", async () => {
    expect(versions).toEqual(versions.toSorted(semver.rcompare));
    expect(versions).toContain(version);
    const older = versions.filter((name) => semver.lt(name, version));
    const archived = (await builtInArchive()).versions.filter((name) => semver.lt(name, version));
    expect(older).toEqual(archived.toSorted(semver.rcompare));
  });

  it("tells what changed between two versions", () => {
    const all = ["0.9.0", "0.10.0", "1.0.0", "1.1.0"].map(entry);
    expect(changesBetween(all, "0.9.0", "1.0.0")).toEqual([entry("1.0.0"), entry("0.10.0")]);
    expect(changesBetween(all, "1.1.0", "1.1.0")).toEqual([]);
  });
});
