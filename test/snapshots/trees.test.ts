import { describe, expect, it } from "vitest";

import { APPROVED, approvedTree, currentTree } from "../support/snapshot.ts";

// A change that is meant to be is approved with `npm run snapshots:update`.
describe.each(APPROVED)("$title, as approved", (service) => {
  const current = currentTree(service);
  const approved = approvedTree(service.title);

  it("has the same files", () => {
    expect([...current.keys()].sort()).toEqual([...approved.keys()].sort());
  });

  it.each([...current.keys()].filter((path) => approved.has(path)))("%s", (path) => {
    expect(current.get(path)).toBe(approved.get(path));
  });
});
