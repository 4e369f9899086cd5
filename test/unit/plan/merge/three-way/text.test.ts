import { describe, expect, it } from "vitest";

import { keepProse, keepUnorderedCode } from "../../../../../src/plan/merge/three-way/text.ts";
import { mergeText, type Resolve } from "../../../../../src/plan/merge/three-way/text.ts";

const LABELS = { mine: "yours", theirs: "template 2" };
const text = (lines: string) => lines.replaceAll(" ", "\n").concat("\n");

/** Merges texts of which every word is a line. */
function merge(base: string, mine: string, theirs: string, resolve?: Resolve) {
  const merged = mergeText(text(base), text(mine), text(theirs), LABELS, resolve);
  return { ...merged, text: merged.text.trimEnd().replaceAll("\n", " ") };
}

const keepAll: Resolve = ({ base, mine, theirs }) => [...base, ...mine, ...theirs];

describe("changes of lines", () => {
  it.each([
    ["apart from each other", "a b c d", "A b c d", "a b c D", "A b c D"],
    ["the same on both sides", "a b c", "a B c", "a B c", "a B c"],
    ["side by side", "a b c", "A b c", "a B c", "A B c"],
    ["inserted before a change", "a b", "a x b", "a B", "a x B"],
    ["inserted after a change", "a b", "a x b", "A b", "A x b"],
    ["deleted beside an insertion", "a b c", "a c", "a b x c", "a x c"],
    ["inserted on both sides, one of them more", "a b", "a x b", "a x y b", "a x y b"],
    ["at the end and in the middle", "a b", "a b x", "a y b", "a y b x"],
  ])("%s", (_, base, mine, theirs, expected) => {
    expect(merge(base, mine, theirs)).toEqual({ text: expected, conflicts: 0 });
  });
});

describe("changes of the same lines", () => {
  it("stand between git's marks, without what both have in common", () => {
    const { text: merged, conflicts } = mergeText(
      "1\na\nb\nc\n2\n",
      "1\nsame\nmine\n2\n",
      "1\nsame\ntheirs\n2\n",
      LABELS,
    );
    expect(conflicts).toBe(1);
    expect(merged).toBe("1\nsame\n<<<<<<< yours\nmine\n=======\ntheirs\n>>>>>>> template 2\n2\n");
  });

  it("are marked when one side deleted them", () => {
    expect(merge("a b c", "a c", "a B c").conflicts).toBe(1);
    expect(merge("a b c", "a B c", "a c").conflicts).toBe(1);
  });

  it("are counted", () => {
    expect(merge("a b c", "A b C", "x b y").conflicts).toBe(2);
  });

  it("may be decided", () => {
    expect(merge("a b c", "a m c", "a t c", keepAll)).toEqual({
      text: "a b m t c",
      conflicts: 0,
    });
  });
});

describe("how a text is stored", () => {
  it("stays what the user made of it", () => {
    const { text: merged } = mergeText(
      "a\nb\nc\n",
      "\u{FEFF}a\r\nx\r\nb\r\nc",
      "a\nb\nC\n",
      LABELS,
    );
    expect(merged).toBe("\u{FEFF}a\r\nx\r\nb\r\nC");
  });

  it("stays line by line", () => {
    const { text: merged } = mergeText(
      "a\nb\nc\nd\n",
      "a\r\nx\nb\r\nc\nd\r\n",
      "a\nb\nc\nD\n",
      LABELS,
    );
    expect(merged).toBe("a\r\nx\nb\r\nc\nD\r\n");
  });

  it("follows the template when only that changed it", () => {
    expect(mergeText("a\nb", "x\na\nb", "a\r\nb\r\n", LABELS).text).toBe("x\na\nb\n");
  });

  it("may be nothing", () => {
    expect(mergeText("", "", "a\n", LABELS).text).toBe("a\n");
    expect(mergeText("a\n", "", "a\nb\n", LABELS).conflicts).toBe(0);
  });
});

describe("insertions at one place", () => {
  it("both stay when they are imports or items", () => {
    const imports = 'import { a } from "a";\n';
    const merged = mergeText(
      "\n",
      `import x from "x";\n\n`,
      `${imports}\n`,
      LABELS,
      keepUnorderedCode,
    );
    expect(merged).toEqual({ text: `import x from "x";\n${imports}\n`, conflicts: 0 });
    const items = mergeText(
      "[\n]\n",
      "[\n  mine,\n]\n",
      "[\n  theirs,\n]\n",
      LABELS,
      keepUnorderedCode,
    );
    expect(items.text).toBe("[\n  mine,\n  theirs,\n]\n");
  });

  it.each([
    ["  port: 1,", "  port: 2,"],
    ["  port,", "  port: 2,"],
    ["  own: 3,\n  port: 1,", "  port: 2,\n  other: 4,"],
  ])("are a conflict when one name has two values: %j and %j", (mine, theirs) => {
    const texts = ["{\n}\n", `{\n${mine}\n}\n`, `{\n${theirs}\n}\n`] as const;
    expect(mergeText(...texts, LABELS, keepUnorderedCode).conflicts).toBe(1);
  });

  it("are one item when both are the same", () => {
    const texts = ["{\n}\n", "{\n  a: 1,\n  b,\n}\n", "{\n  c,\n  a: 1,\n}\n"] as const;
    expect(mergeText(...texts, LABELS, keepUnorderedCode)).toEqual({
      text: "{\n  a: 1,\n  b,\n  c,\n}\n",
      conflicts: 0,
    });
  });

  it("are a conflict when their order can matter", () => {
    const merged = mergeText(
      "{\n}\n",
      "{\n  a();\n}\n",
      "{\n  b();\n}\n",
      LABELS,
      keepUnorderedCode,
    );
    expect(merged.conflicts).toBe(1);
  });

  it("both stay in prose, as paragraphs or as rows", () => {
    expect(mergeText("a\n\n", "a\n\nmine\n", "a\n\ntheirs\n", LABELS, keepProse).text).toBe(
      "a\n\nmine\n\ntheirs\n",
    );
    expect(mergeText("| a |\n", "| a |\n| m |\n", "| a |\n| t |\n", LABELS, keepProse).text).toBe(
      "| a |\n| m |\n| t |\n",
    );
  });
});
