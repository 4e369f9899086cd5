import { describe, expect, it } from "vitest";

import { STATE_FILE } from "../../../src/plan/state.ts";
import { filesToFormat, inTeamStyle, UNFORMATTED } from "../../../src/plan/team-style.ts";

const fileOf = (text: string) => ({
  bytes: Buffer.from(text),
  mode: 0o644,
  owner: "merged" as const,
});
const treeOf = (files: Record<string, string>) =>
  new Map(Object.entries(files).map(([path, text]) => [path, fileOf(text)]));
const textsOf = (tree: ReadonlyMap<string, { bytes: Uint8Array }>) =>
  Object.fromEntries([...tree].map(([path, { bytes }]) => [path, String(Buffer.from(bytes))]));

describe("what is formatted", () => {
  it("is what the plan writes, or compares with an edited file", () => {
    const trees = {
      base: treeOf({ untouched: "a", edited: "b", reformatted: "c", same: "d", dropped: "e" }),
      theirs: treeOf({ untouched: "A", edited: "B", reformatted: "C", same: "d", new: "n" }),
      mine: treeOf({ untouched: "a", edited: "x", reformatted: " c", same: "y", dropped: "z" }),
    };
    const { base, theirs } = filesToFormat(trees);
    expect([...base.keys()]).toEqual(["untouched", "edited", "dropped"]);
    expect([...theirs.keys()]).toEqual(["untouched", "edited", "reformatted", "new"]);
  });

  it("is nothing when the template changes nothing", () => {
    const base = treeOf({ a: "a", [STATE_FILE]: "{}" });
    const mine = treeOf({ a: "b", [STATE_FILE]: "{ }" });
    expect(filesToFormat({ base, theirs: base, mine })).toEqual(UNFORMATTED);
  });
});

const state = (version: string, unit: string) =>
  `{\n${unit}"answers": {\n${unit}${unit}"team": "owls"\n${unit}},\n${unit}"version": "${version}"\n}\n`;
const restyled = (theirs: string, mine: string) =>
  textsOf(
    inTeamStyle(
      {
        base: new Map(),
        theirs: treeOf({ [STATE_FILE]: theirs }),
        mine: treeOf({ [STATE_FILE]: mine }),
      },
      UNFORMATTED,
    ).theirs,
  )[STATE_FILE];

describe("the record", () => {
  it("keeps the team's indentation", () => {
    expect(restyled(state("2", "  "), state("1", "\t"))).toBe(state("2", "\t"));
    expect(restyled(state("2", "  "), state("1", "    "))).toBe(state("2", "    "));
  });

  it("is not written when it says the same", () => {
    const own = state("1", "\t").replaceAll("\n", "\r\n");
    expect(restyled(state("1", "  "), own)).toBe(own);
  });
});

describe("an edited file", () => {
  const trees = {
    base: treeOf({ a: "one\n two\n three\n" }),
    theirs: treeOf({ a: "one\n two\n three\n four\n" }),
  };
  const formatted = {
    base: new Map([["a", Buffer.from("one\n\ttwo\n\tthree\n")]]),
    theirs: new Map([["a", Buffer.from("one\n\ttwo\n\tthree\n\tfour\n")]]),
  };

  it("is compared with what is nearer to it, the template's format or the team's", () => {
    const tabs = inTeamStyle({ ...trees, mine: treeOf({ a: "1\n\ttwo\n\tthree\n" }) }, formatted);
    expect(textsOf(tabs.base)).toEqual({ a: "one\n\ttwo\n\tthree\n" });
    expect(textsOf(tabs.theirs)).toEqual({ a: "one\n\ttwo\n\tthree\n\tfour\n" });
    const spaces = inTeamStyle({ ...trees, mine: treeOf({ a: "1\n two\n three\n" }) }, formatted);
    expect(textsOf(spaces.theirs)).toEqual(textsOf(trees.theirs));
  });
});
