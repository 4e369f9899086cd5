import { describe, expect, it } from "vitest";

import { mergeEnvFiles, mergeIgnoreFiles } from "../../../../../src/plan/merge/three-way/set.ts";

const BASE = "# Copy me\nA=1\nB=2\n";
const THEIRS = `${BASE}\n# Kafka\nBROKERS=here\nTOPIC=t\n`;

describe("env files", () => {
  it("take what the template adds, beside what the user adds", () => {
    const merged = mergeEnvFiles(BASE, `${BASE}C=3\n`, THEIRS);
    expect(merged).toEqual({
      text: `${BASE}C=3\n\n# Kafka\nBROKERS=here\nTOPIC=t\n`,
      conflicts: 0,
      notes: [],
    });
  });

  it("have a variable once, with the user's value", () => {
    const merged = mergeEnvFiles(BASE, `BROKERS=there\n${BASE}`, THEIRS);
    expect(merged.text).toBe(`BROKERS=there\n${BASE}\n# Kafka\nTOPIC=t\n`);
    expect(merged.notes).toEqual([
      { kind: "value", message: '"BROKERS=there" stays; the template has "BROKERS=here"' },
    ]);
  });

  it("leave a comment out that has nothing left to say", () => {
    const mine = `${BASE}TOPIC=t\nBROKERS=here\n`;
    expect(mergeEnvFiles(BASE, mine, THEIRS)).toEqual({ text: mine, conflicts: 0, notes: [] });
  });

  it("lose what the template takes away, but not what the user edited", () => {
    const mine = THEIRS.replace("TOPIC=t", "TOPIC=mine\nEXTRA=1");
    const merged = mergeEnvFiles(THEIRS, mine, BASE);
    expect(merged.text).toContain("TOPIC=mine\nEXTRA=1\n");
    expect(merged.text).not.toContain("BROKERS");
  });

  it("change a value in its place, but not one that the user changed", () => {
    const theirs = BASE.replace("B=2", "B=9");
    expect(mergeEnvFiles(BASE, "# Copy me\nA=1\nB=2\nX=1\n", theirs).text).toContain("B=9\nX=1");
    const merged = mergeEnvFiles(BASE, BASE.replace("B=2", "B=5"), theirs);
    expect(merged.text).toContain("B=5");
    expect(merged.notes).toHaveLength(1);
  });

  it("keep a deletion", () => {
    expect(mergeEnvFiles(BASE, "# Copy me\nA=1\n", THEIRS).text).not.toContain("B=2");
  });

  it.each([
    ["deleted", "# Copy me\nA=1\n"],
    ["made a comment of", "# Copy me\nA=1\n# B=2\n"],
  ])("keep out what the user %s, though the template has another value for it", (_, mine) => {
    const theirs = THEIRS.replace("B=2", "B=9");
    for (const end of ["\n", "\r\n"]) {
      const own = mine.replaceAll("\n", end);
      expect(mergeEnvFiles(BASE, own, theirs)).toEqual({
        text: `${own}\n# Kafka\nBROKERS=here\nTOPIC=t\n`.replace(/\r?\n/g, end),
        conflicts: 0,
        notes: [
          {
            kind: "stays-deleted",
            message: '"B=9" is new in the template; you deleted it, so it stays deleted',
          },
        ],
      });
    }
    const moved = BASE.replace("# Copy me\nA=1\nB=2", "B=9\n# Copy me\nA=1");
    expect(mergeEnvFiles(BASE, mine, moved).text).toBe(mine);
  });

  it("keep line ends", () => {
    const mine = `${BASE}C=3`.replaceAll("\n", "\r\n");
    expect(mergeEnvFiles(BASE, mine, THEIRS).text).toBe(
      `${BASE}C=3\n\n# Kafka\nBROKERS=here\nTOPIC=t`.replaceAll("\n", "\r\n"),
    );
  });
});

describe("ignore files", () => {
  it("have every line once", () => {
    const merged = mergeIgnoreFiles("a/\n", "a/\nletters/\nmine/\n", "a/\n\nletters/\nb/\n");
    expect(merged.text).toBe("a/\nletters/\nmine/\n\nb/\n");
  });
});
