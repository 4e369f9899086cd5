import fc from "fast-check";
import { expect, it } from "vitest";
import { parse, stringify } from "yaml";

import { mergeJson } from "../../../../../src/plan/merge/three-way/json.ts";
import { mergeYaml } from "../../../../../src/plan/merge/three-way/yaml.ts";

type Data = { [key: string]: unknown };

// Few keys and values, so that the three documents often meet.
const key = fc.constantFrom("a", "b", "c", "name", "type");
const scalar = fc.constantFrom<unknown>(1, 2, "x", "y", true, null, "with: colon", "two\nlines\n");
const { document } = fc.letrec<{ document: Data; value: unknown }>((tie) => ({
  document: fc.dictionary(key, tie("value"), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    tie("document"),
  ),
}));

/** ThreeWay documents, two of which are the first one with some of its keys changed. */
const three = fc
  .record({ base: document, mine: document, theirs: document, keeps: fc.array(fc.boolean()) })
  .map(({ base, mine, theirs, keeps }) => ({
    base,
    mine: { ...base, ...part(mine, keeps) },
    theirs: { ...base, ...part(theirs, keeps.toReversed()) },
  }));

function part(data: Data, keeps: readonly boolean[]): Data {
  return Object.fromEntries(Object.entries(data).filter((_, index) => keeps[index] ?? true));
}

it("YAML and JSON are merged to the same, with the same notes", () => {
  fc.assert(
    fc.property(three, fc.constantFrom(2, 4), ({ base, mine, theirs }, indent) => {
      const json = mergeJson(JSON.stringify(base), JSON.stringify(mine), JSON.stringify(theirs));
      const yaml = mergeYaml(stringify(base), stringify(mine, { indent }), stringify(theirs));
      // What YAML cannot do by key, it leaves to the lines.
      if (yaml && json) {
        expect(parse(yaml.text)).toEqual(JSON.parse(json.text));
        expect(yaml.notes).toEqual(json.notes);
      }
    }),
    { numRuns: 150 },
  );
});

it("YAML that is written as usual can nearly always be merged by key", () => {
  const samples = fc.sample(three, { numRuns: 100, seed: 1 });
  const merged = samples.filter(({ base, mine, theirs }) =>
    mergeYaml(stringify(base), stringify(mine), stringify(theirs)),
  );
  expect(merged.length).toBeGreaterThan(95);
});
