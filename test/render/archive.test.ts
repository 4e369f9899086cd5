import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { readArchive } from "../../src/catalog/archive.ts";
import { compileTemplate } from "../../src/plan/compile.ts";
import { ARCHIVE, recordedTreeIds, treeIds } from "../support/archive.ts";

const archive = readArchive(readFileSync(ARCHIVE), compileTemplate);
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
