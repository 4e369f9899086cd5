import { describe, expect, it } from "vitest";

import { mergeJson, mergePackageJson } from "../../../../../src/plan/merge/three-way/json.ts";
import { parseJson } from "../../../../../src/plan/merge/three-way/json.ts";

const json = (value: unknown, indent: number | string = 2) =>
  `${JSON.stringify(value, null, indent)}\n`;

const BASE = { name: "x", scripts: { a: "1" }, dependencies: { b: "1.0.0", d: "1.0.0" } };
const THEIRS = { ...BASE, dependencies: { b: "1.0.0", c: "1.0.0", d: "1.0.0" } };

const panel = (id: number, title: string, span = 1) => ({ id, title, span });

describe("JSON", () => {
  it("takes the template's new keys beside the user's", () => {
    const mine = { ...BASE, dependencies: { ...BASE.dependencies, e: "2.0.0" }, own: true };
    const merged = mergeJson(json(BASE), json(mine), json(THEIRS));
    const dependencies = { b: "1.0.0", c: "1.0.0", d: "1.0.0", e: "2.0.0" };
    expect(merged).toEqual({ text: json({ ...mine, dependencies }), conflicts: 0, notes: [] });
  });

  it("keeps sorted keys sorted", () => {
    const mine = { ...BASE, dependencies: { b: "1.0.0", bb: "1.0.0", d: "1.0.0" } };
    const text = mergeJson(json(BASE), json(mine), json(THEIRS))?.text;
    expect(Object.keys(JSON.parse(text ?? "").dependencies)).toEqual(["b", "bb", "c", "d"]);
  });

  it("keeps what the user made of the text", () => {
    const mine = `\u{FEFF}${json({ ...BASE, own: [1, 2] }, "\t").trimEnd()}`.replaceAll(
      "\n",
      "\r\n",
    );
    const expected = json({ ...THEIRS, own: [1, 2] }, "\t")
      .trimEnd()
      .replaceAll("\n", "\r\n");
    expect(mergeJson(json(BASE), mine, json(THEIRS))?.text).toBe(`\u{FEFF}${expected}`);
  });

  it("touches no line but those that change", () => {
    const mine = '{ "a": [1,2],\n\n  "b": { "c": 1 } }\n';
    const merged = mergeJson('{"a":[1,2],"b":{"c":1}}\n', mine, '{"a":[1,2],"b":{"c":2}}\n');
    expect(merged?.text).toBe('{ "a": [1,2],\n\n  "b": { "c": 2 } }\n');
  });

  it("keeps comments and trailing commas", () => {
    const base = '{\n  "a": 1,\n  "b": 2\n}\n';
    const mine = '{\n  // why a\n  "a": 1, // one\n  "b": 2, // two\n}\n';
    expect(mergeJson(base, mine, '{\n  "a": 9,\n  "b": 2\n}\n')?.text).toBe(mine.replace("1", "9"));
    expect(mergeJson(base, mine, '{\n  "b": 2\n}\n')?.text).toContain("// why a");
    expect(mergeJson(base, mine, '{\n  "a": 1\n}\n')?.text).toContain("// one");
  });

  it("fills what was empty, and empties what was full", () => {
    const [empty, full] = [json({ a: {}, b: [] }), json({ a: { c: 1 }, b: [{ d: 1 }] })];
    const own = { own: 1 };
    const wanted = { ...JSON.parse(full), ...own };
    expect(mergeJson(empty, json({ ...JSON.parse(empty), ...own }), full)?.text).toBe(json(wanted));
    const back = mergeJson(full, json(wanted), empty);
    expect(back?.text).toBe(json({ ...JSON.parse(empty), ...own }));
  });

  it("keeps the user's value where both changed it, and says so", () => {
    const merged = mergeJson(json({ a: 1, b: 1 }), json({ a: 2, b: 1 }), json({ a: 3, b: 2 }));
    expect(merged?.text).toBe(json({ a: 2, b: 2 }));
    expect(merged?.notes).toEqual([
      { kind: "value", message: "a: yours is 2, the template's 3; yours stays" },
    ]);
  });

  it("keeps a deleted key deleted, and an edited one that the template drops", () => {
    const base = json({ a: { b: 1 }, c: 1, d: 1 });
    const merged = mergeJson(base, json({ c: 2, d: 1 }), json({ a: { b: 2 } }));
    expect(merged?.text).toBe(json({ c: 2 }));
    expect(merged?.notes.map(({ kind }) => kind)).toEqual(["kept-edited", "stays-deleted"]);
  });

  it("merges lists by their items", () => {
    const base = { panels: [panel(1, "a"), panel(2, "b")], tags: ["x"] };
    const mine = { panels: [panel(1, "mine"), panel(2, "b"), panel(9, "own")], tags: ["x", "m"] };
    const theirs = { panels: [panel(1, "a", 2), panel(5, "new"), panel(2, "b")], tags: ["x", "t"] };
    expect(JSON.parse(mergeJson(json(base), json(mine), json(theirs))?.text ?? "")).toEqual({
      panels: [panel(1, "mine", 2), panel(5, "new"), panel(2, "b"), panel(9, "own")],
      tags: ["x", "m", "t"],
    });
  });

  it("takes the template's new order, unless the user has another", () => {
    const merged = mergeJson(
      '{"b":1,"a":1,"c":1}\n',
      '{"b":1,"a":1,"c":2}\n',
      '{"c":1,"b":1,"a":1}\n',
    );
    expect(merged?.text).toBe('{"c":2, "b":1, "a":1}\n');
  });

  it("has nothing to say about what is no JSON", () => {
    expect(mergeJson("{}", "{", "{}")).toBeUndefined();
    expect(mergeJson("{}", "", "{}")).toBeUndefined();
    expect(mergeJson("{}", "{} {}", "{}")).toBeUndefined();
    expect(mergeJson("{}", '{"a":1,"a":2}', "{}")).toBeUndefined();
  });
});

const withVersion = (b: string) => json({ dependencies: { b } });

function versions(mine: string, theirs: string, base = "1.0.0") {
  const texts = [withVersion(base), withVersion(mine), withVersion(theirs)] as const;
  const merged = mergePackageJson(...texts);
  return [JSON.parse(merged?.text ?? "").dependencies.b, ...(merged?.notes ?? [])];
}

describe("package.json", () => {
  it.each([
    ["1.2.0", "1.3.0", "1.3.0", "version"],
    ["1.4.0", "1.3.0", "1.4.0", "version"],
    ["^1.2.0", "1.3.0", "^1.3.0", "version"],
    ["2.0.0", "1.3.0", "2.0.0", "version"],
    ["1.4.0", "2.0.0", "1.4.0", "version"],
    ["^1.4.0", "^2.0.0", "^1.4.0", "version"],
    ["<2.0.0", "^1.5.0", "^1.5.0", "version"],
    ["<2.0.0", "^2.1.0", "<2.0.0", "version"],
    [">=1.4.0", "^2.0.0", "^2.0.0", "version"],
    ["2.0.0-beta.1", "2.0.0", "2.0.0", "version"],
    ["github:a/b", "1.3.0", "github:a/b", "value"],
    ["workspace:*", "1.3.0", "workspace:*", "value"],
  ])("with %s and %s has %s", (mine, theirs, expected, kind) => {
    expect(versions(mine, theirs)).toMatchObject([expected, { kind }]);
  });

  it.each([
    ["1.0.0", "^1.0.0", "1.3.0", "^1.3.0"],
    ["1.0.0", "~1.0.0", "1.3.0", "~1.3.0"],
    ["^1.0.0", "1.0.0", "^1.3.0", "1.3.0"],
    ["^1.0.0", "^1.1.0", "1.3.0", "1.3.0"],
    ["1.0.0", ">=1.0.0", "1.3.0", "1.3.0"],
  ])(
    "of %s, %s and %s takes the version, and keeps the operator: %s",
    (base, mine, theirs, now) => {
      expect(versions(mine, theirs, base)).toMatchObject([now, { kind: "version" }]);
    },
  );

  it.each([
    ["4.6.0", "4.5.2", "4.7.0"],
    ["^4.6.0", "~4.5.0", "^4.7.0"],
    ["4.6.0", "3.0.0", "4.7.0"],
  ])("of %s keeps the downgrade to %s before %s, and says so", (base, mine, theirs) => {
    const [version, note] = versions(mine, theirs, base);
    expect(version).toBe(mine);
    expect(note.message).toContain("yours stays, since you lowered it");
  });

  it("has no opinion on versions that only one changed", () => {
    expect(versions("0.9.0", "1.0.0")).toEqual(["0.9.0"]);
    expect(versions("1.0.0", "0.9.0")).toEqual(["0.9.0"]);
  });
});

describe("reading JSON", () => {
  it.each(['{"a": [1, {"b": null}], "c": "\\"}"}', " [ ] ", "3", '{"a":1,}', "// x\n{}"])(
    "%s",
    (text) => {
      const { before, root, after } = parseJson(text) ?? { root: { text: "" } };
      expect(`${before}${root.text}${after}`).toBe(text);
    },
  );

  it.each(["", "{", '{"a" 1}', "[1 2]", "{a: 1}", "'a'", "[1,,2]", "/"])("refuses %j", (text) => {
    expect(parseJson(text)).toBeUndefined();
  });
});
