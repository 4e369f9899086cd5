import { describe, expect, it } from "vitest";

import { recordedTreeIds, treeIds, wholeArchive } from "../support/archive.ts";

const archive = wholeArchive();
const recorded = recordedTreeIds();

describe("archived templates", () => {
  it("are all recorded", () => {
    expect(Object.keys(recorded).sort()).toEqual(archive.versions.toSorted());
  });

  // A service of that version is updated from what it renders now, so it may not render otherwise.
  it.each(archive.versions)("of %s render what they did when they were released", (version) => {
    const templates = archive.templates(version);
    expect(templates && treeIds(templates)).toEqual(recorded[version]);
  });
});
