import { describe, expect, it } from "vitest";

import { sameApartFromFormatting } from "../../../src/plan/formatting.ts";

const same = (path: string, one: string, two: string) =>
  sameApartFromFormatting(path, Buffer.from(one), Buffer.from(two));

describe("formatting", () => {
  it.each([
    ["a.ts", "if (a) {\n  b();\n}\n", "if (a) {\n\tb()\n}\n"],
    ["a.ts", 'const a = "it\'s";', "const a = 'it\\'s';"],
    ["a.ts", "call(one, two);", "call(\n  one,\n  two,\n);"],
    ["a.ts", 'const a = `${b ?? "c"} d`;', "const a = `${ b ?? 'c' } d`;"],
    ["a.ts", 'const a = /["/]/g, b = "c";', "const a = /[\"/]/g, b = 'c'"],
    ["a.ts", "type A = B | C;", "type A =\n  | B\n  | C;"],
    ["a.ts", "x as Array<Map<A, B>>", "x as Array<\n  Map<A, B>\n>"],
    ["a.ts", "const f = () => (a ? b : c);\n// d", "const f = () =>\n  a ? b : c\n// d"],
    ["a.ts", "/** One\n * two. */", "/** One\n\t * two. */"],
    ["a.json", '{ "a": [1, 2] }', '{\n\t"a": [\n\t\t1,\n\t\t2\n\t]\n}\n'],
    ["a.yml", "a:\n  - 'b' # c\n", 'a:\n- "b" # c\n'],
    ["a.md", "| a | b |\n|---|---|\n", "| a   | b   |\n| --- | ----- |\n"],
    ["a.md", "```ts\na('b');\n```\n", '```ts\na("b")\n```\n'],
    ["Dockerfile", "RUN a \\\n  b\n", "RUN a \\\n    b\n\n"],
  ])("of %s is no difference: %j", (path, one, two) => {
    expect(same(path, one, two)).toBe(true);
  });

  it.each([
    ["a.ts", "a(b);", "a(c);"],
    ["a.ts", 'a = "b c";', 'a = "b  c";'],
    ["a.ts", "a = `b\n  c`;", "a = `b\nc`;"],
    ["a.ts", "a = `it's`;", 'a = `it"s`;'],
    ["a.ts", "return (a + b) * c;", "return a + b * c;"],
    ["a.ts", "a = (b + c) * d;", "a = b + c * d;"],
    ["a.ts", "// one", "// two"],
    ["a.json", "[1, 2]", "[12]"],
    ["a.yml", "a:\n  b: 1\n", "a:\nb: 1\n"],
    ["a.yml", "a: 1 # one\n", "a: 1 # two\n"],
    ["a.yml", "a: 'b'\n", "a: b: c\n"],
    ["a.yml", "a: b\n", "a: *b\n"],
    ["a.yml", "a: b\n", "a: &b\n  c: *b\n"],
    ["a.md", "one\n", "two\n"],
    ["a.bin", "a\0b", "a\0 b"],
  ])("is not what differs in %s: %j and %j", (path, one, two) => {
    expect(same(path, one, two)).toBe(false);
  });
});
