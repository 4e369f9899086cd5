import { describe, expect, it } from "vitest";

import {
  joinEnvFiles,
  joinIgnoreFiles,
  joinOf,
  joinPackageJson,
} from "../../../../src/plan/merge/layers.ts";

describe("package.json", () => {
  it("is merged key by key, with sorted dependencies and scripts", () => {
    const merged = joinPackageJson(
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
      joinPackageJson('{"dependencies":{"a":"1"}}', '{"dependencies":{"a":"2"}}'),
    ).toThrow('package.json: dependencies: a is "1" in one layer, "2" in another');
  });

  it("stays what it is when merged with itself", () => {
    const text = joinPackageJson(undefined, '{"b":[1],"a":{"c":null}}');
    expect(joinPackageJson(text, text)).toBe(text);
  });
});

describe("env files", () => {
  it("append new settings with their comments", () => {
    expect(joinEnvFiles("A=1\n", "# about B\nB=2\nA=1\n\n# about A\nA=1\n")).toBe(
      "A=1\n\n# about B\nB=2\n",
    );
  });

  it("refuse two values of one setting", () => {
    expect(() => joinEnvFiles("A=1\n", "A=2\n")).toThrow('"A=1" in one layer, "A=2"');
  });
});

describe("ignore files", () => {
  it("hold every line once", () => {
    expect(joinIgnoreFiles("a\nb\n", "b\nc\n")).toBe("a\nb\n\nc\n");
    expect(joinIgnoreFiles("a\n", "a\n")).toBe("a\n");
  });
});

describe("other files", () => {
  it("have no merger", () => {
    expect(joinOf("src/app.ts")).toBeUndefined();
    expect(joinOf("src/package.json")).toBeUndefined();
  });
});
