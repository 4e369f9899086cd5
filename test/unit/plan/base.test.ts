import { describe, expect, it } from "vitest";

import { baseOf, missingBlobs } from "../../../src/plan/base.ts";
import { blobId } from "../../../src/plan/blob-id.ts";
import type { State } from "../../../src/plan/read-state.ts";

const file = (text: string, mode = 0o644) => ({ bytes: Buffer.from(text), mode });
const recorded = (text: string) => ({ blob: blobId(Buffer.from(text)), owner: "merged" as const });

const state: State = {
  templateVersion: "1.0.0",
  answers: {},
  accepted: new Map(),
  files: new Map<string, { blob?: string; owner: "merged" | "managed" }>([
    ["a", recorded("a\n")],
    ["b", recorded("b\n")],
    ["c", recorded("c\n")],
    ["lock", { owner: "managed" }],
  ]),
};
const rendered = new Map([
  ["a", file("a\n", 0o755)],
  ["b", file("another\n", 0o755)],
]);
const disk = new Map([
  ["a", file("edited\n")],
  ["c", file("edited\n")],
]);

describe("what the template once wrote", () => {
  it("is what was rendered or lies there, if it has the recorded id", () => {
    const { base, unknown } = baseOf(state, [rendered, disk, new Map([["c", file("c\n")]])]);
    expect(Object.fromEntries(base)).toEqual({
      a: { ...file("a\n", 0o755), owner: "merged" },
      c: { ...file("c\n"), owner: "merged" },
    });
    expect([...unknown]).toEqual(["b"]);
  });

  it("is asked of git by id, where nothing else has it", () => {
    const ids = missingBlobs(state, [rendered, disk]);
    expect(ids).toEqual([recorded("b\n").blob, recorded("c\n").blob].sort());
    const found = new Map([[recorded("b\n").blob, Buffer.from("b\n")]]);
    const { base, unknown } = baseOf(state, [rendered, disk], found);
    expect(base.get("b")).toEqual({ ...file("b\n", 0o755), owner: "merged" });
    expect([...unknown]).toEqual(["c"]);
  });
});
