import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { mergeFile } from "../../../../../src/plan/merge/three-way/merge-file.ts";

const LABELS = { mine: "yours", theirs: "template" };
const PATHS = [
  "a.ts",
  "README.md",
  "package.json",
  "a.json",
  "fsd.yml",
  ".env.example",
  ".gitignore",
];

function merge(path: string, base: Uint8Array, mine: Uint8Array, theirs: Uint8Array) {
  const merged = mergeFile(path, { base, mine, theirs }, LABELS);
  return merged && { ...merged, bytes: Buffer.from(merged.bytes) };
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)),
  fc.string({ unit: "grapheme" }).map((text) => Buffer.from(text)),
  fc.json().map((text) => Buffer.from(text)),
);

describe.each(PATHS)("the laws of merging %s", (path) => {
  it("hold for any bytes", () => {
    fc.assert(
      fc.property(bytes, bytes, (one, two) => {
        expect(merge(path, one, one, two)?.bytes).toEqual(two);
        expect(merge(path, one, two, one)?.bytes).toEqual(two);
        expect(merge(path, one, two, two)?.bytes).toEqual(two);
      }),
    );
  });

  it("never throws", () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, (base, mine, theirs) => {
        merge(path, base, mine, theirs);
      }),
    );
  });
});

/** Changes of some lines, each of which leaves a word that stands nowhere else. */
const edits = fc.array(
  fc.record({ at: fc.nat({ max: 11 }), replaces: fc.nat({ max: 2 }), adds: fc.nat({ max: 2 }) }),
  { minLength: 1, maxLength: 4 },
);
type Edits = typeof edits extends fc.Arbitrary<infer Value> ? Value : never;

function edit(lines: readonly string[], changes: Edits, word: (index: number) => string): string[] {
  return changes.reduce<string[]>(
    (now, { at, replaces, adds }, index) => {
      const added = Array.from({ length: adds }, (_, count) => word(index * 10 + count));
      return now.toSpliced(at, replaces, ...added);
    },
    [...lines],
  );
}

const text = (lines: readonly string[], end = "\n") => Buffer.from(lines.join(end) + end);
const FORMS = {
  "a.ts": { base: (index: number) => `const v${index % 4} = 1;`, word: (w: string) => `// ${w}` },
  "README.md": {
    base: (index: number) => (index % 3 ? `Line ${index}.` : ""),
    word: (w: string) => w,
  },
  ".env.example": {
    base: (index: number) => `V${index}=1`,
    word: (w: string) => `${w.replace("-", "_")}=1`,
  },
  ".gitignore": { base: (index: number) => `file-${index}`, word: (w: string) => w },
  "fsd.yml": { base: (index: number) => `key${index}: 1`, word: (w: string) => `${w}: 2` },
};

describe.each(Object.entries(FORMS))("lines that somebody wrote in %s", (path, form) => {
  const base = Array.from({ length: 12 }, (_, index) => form.base(index));

  it("are all in the result, or between its marks", () => {
    fc.assert(
      fc.property(edits, edits, fc.boolean(), (own, other, windows) => {
        const mine = edit(base, own, (index) => form.word(`mine-${index}x`));
        const theirs = edit(base, other, (index) => form.word(`theirs-${index}x`));
        const merged = merge(path, text(base), text(mine, windows ? "\r\n" : "\n"), text(theirs));
        const lines = Buffer.from(merged?.bytes ?? [])
          .toString("utf8")
          .split(/\r?\n/);
        const wanted = [...mine, ...theirs].filter((line) => /mine|theirs/.test(line));
        expect(wanted.filter((line) => !lines.includes(line))).toEqual([]);
        // What nobody touched is there, and what both took away is not.
        const unique = base.filter((line) => base.indexOf(line) === base.lastIndexOf(line));
        const untouched = unique.filter((line) => mine.includes(line) && theirs.includes(line));
        expect(untouched.filter((line) => !lines.includes(line))).toEqual([]);
        const gone = unique.filter((line) => !mine.includes(line) && !theirs.includes(line));
        expect(gone.filter((line) => lines.includes(line))).toEqual([]);
        expect(lines.filter((line) => line === "<<<<<<< yours")).toHaveLength(
          merged?.conflicts ?? 0,
        );
      }),
      { numRuns: 300 },
    );
  });
});
