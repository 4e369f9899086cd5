import { describe, expect, it } from "vitest";

import { mergePackageJson } from "../../../../src/plan/merge/json.ts";
import { mergerOf } from "../../../../src/plan/merge/merger.ts";
import { mergeEnvironment, mergeIgnoreList } from "../../../../src/plan/merge/set.ts";

describe("package.json", () => {
  it("is merged key by key, with sorted dependencies and scripts", () => {
    const merged = mergePackageJson(
      '{"name":"x","scripts":{"b":"1"},"dependencies":{"b":"1"}}',
      '{"dependencies":{"a":"2","b":"1"},"scripts":{"a":"2"},"type":"module"}',
    );
    expect(merged).toBe(
      `${JSON.stringify(
        {
          name: "x",
          scripts: { a: "2", b: "1" },
          dependencies: { a: "2", b: "1" },
          type: "module",
        },
        null,
        2,
      )}\n`,
    );
  });

  it("refuses two versions of one package", () => {
    expect(() =>
      mergePackageJson('{"dependencies":{"a":"1"}}', '{"dependencies":{"a":"2"}}'),
    ).toThrow('package.json: dependencies: a is "1" in one layer, "2" in another');
  });

  it("stays what it is when merged with itself", () => {
    const text = mergePackageJson(undefined, '{"b":[1],"a":{"c":null}}');
    expect(mergePackageJson(text, text)).toBe(text);
  });
});

describe("env files", () => {
  it("append new settings with their comments", () => {
    expect(mergeEnvironment("A=1\n", "# about B\nB=2\nA=1\n\n# about A\nA=1\n")).toBe(
      "A=1\n\n# about B\nB=2\n",
    );
  });

  it("refuse two values of one setting", () => {
    expect(() => mergeEnvironment("A=1\n", "A=2\n")).toThrow('"A=1" in one layer, "A=2"');
  });
});

describe("ignore files", () => {
  it("hold every line once", () => {
    expect(mergeIgnoreList("a\nb\n", "b\nc\n")).toBe("a\nb\n\nc\n");
    expect(mergeIgnoreList("a\n", "a\n")).toBe("a\n");
  });
});

describe("other files", () => {
  it("have no merger", () => {
    expect(mergerOf("src/app.ts")).toBeUndefined();
    expect(mergerOf("src/package.json")).toBeUndefined();
  });
});
