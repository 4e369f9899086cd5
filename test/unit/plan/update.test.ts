import { describe, expect, it } from "vitest";

import { UserError } from "../../../src/errors.ts";
import type { DiskFile, Plan } from "../../../src/plan/plan.ts";
import type { Owner, TreeFile } from "../../../src/plan/tree.ts";
import type { Update } from "../../../src/plan/merge-context.ts";
import { planUpdate } from "../../../src/plan/update.ts";

type Given = Record<string, string | Uint8Array>;

const STATE = ".fetch-service.json";
const LONG = Array.from({ length: 12 }, (_, index) => `line number ${index}\n`).join("");
const JSON_TEXT = `${JSON.stringify({ lines: LONG.trim().split("\n") }, null, 2)}\n`;

/** Plans with files given as texts; `once` and modes by path, where they matter. */
function plan(
  [base, mine, theirs]: [base: Given, mine: Given, theirs: Given],
  given: Partial<Update> & { once?: string[]; runs?: Record<string, number> } = {},
): Plan {
  const { once = [], runs = {}, ...rest } = given;
  const tree = (files: Given, side: string) =>
    new Map(
      Object.entries(files).map(([path, text]): [string, TreeFile] => {
        const owner: Owner = once.includes(path) ? "once" : "merged";
        const mode = runs[`${side}:${path}`] ?? 0o644;
        return [path, { bytes: Buffer.from(text as string), mode, owner }];
      }),
    );
  return planUpdate({
    base: tree(base, "base"),
    mine: tree(mine, "mine"),
    theirs: tree(theirs, "theirs"),
    unknown: new Set(),
    obstacles: new Map(),
    restore: new Set(),
    labels: { mine: "yours", theirs: "template" },
    ...rest,
  });
}

/** What a plan does, by path: the new text, or null for a deletion. */
function effects({ changes }: Plan): Record<string, string | null> {
  return Object.fromEntries(
    changes.map(({ path, after }) => [path, after && Buffer.from(after.bytes).toString("utf8")]),
  );
}

const findings = ({ findings: all }: Plan) => all.map(({ path, kind }) => `${path} ${kind}`);
const conflicts = ({ conflicts: all }: Plan) =>
  all.map(({ path, kind, beside = "" }) => `${path} ${kind} ${beside}`.trim());

it("leaves a file of the user's own that comes back, as after a removal, without a second one", () => {
  const given = { once: ["a"] };
  const edited = plan([{}, { a: `${LONG}mine\n` }, { a: LONG }], given);
  expect([effects(edited), findings(edited), conflicts(edited)]).toEqual([
    {},
    ["a kept-yours"],
    [],
  ]);
  const other = plan([{}, { a: "another\n".repeat(9) }, { a: LONG }], given);
  expect(conflicts(other)).toEqual(["a taken a.new"]);
});

describe("a file that the template has before and after", () => {
  it("is updated when the user left it alone", () => {
    const planned = plan([{ a: "1\n" }, { a: "1\n" }, { a: "2\n" }]);
    expect(planned.changes).toMatchObject([
      { path: "a", kind: "update", before: { mode: 0o644 }, conflicts: 0, notes: [] },
    ]);
    expect(effects(planned)).toEqual({ a: "2\n" });
  });

  it("is left alone when the template did so, whatever the user did", () => {
    expect(plan([{ a: "1\n" }, { a: "x\n" }, { a: "1\n" }])).toEqual(NOTHING);
  });

  it("is merged when both changed it", () => {
    expect(effects(plan([{ a: "1\n2\n3\n" }, { a: "x\n2\n3\n" }, { a: "1\n2\ny\n" }]))).toEqual({
      a: "x\n2\ny\n",
    });
  });

  it("has marks where both changed the same lines", () => {
    const planned = plan([{ a: LONG }, { a: `x${LONG}` }, { a: `y${LONG}` }]);
    expect(planned.changes).toMatchObject([{ path: "a", conflicts: 1 }]);
    expect(conflicts(planned)).toEqual(["a marked"]);
    expect(effects(planned)["a"]).toMatch(
      /^<{7} yours\nxline number 0\n={7}\ny.*\n>{7} template\n/,
    );
  });

  it("is not marked all over when it has become another file", () => {
    const planned = plan([{ a: LONG }, { a: "something else\n" }, { a: `y${LONG}` }]);
    expect(conflicts(planned)).toEqual(["a taken a.new"]);
    expect(effects(planned)).toEqual({ "a.new": `y${LONG}` });
  });

  it("stays the user's when it was given to them, and they changed it", () => {
    const once = ["a", "b", "c"];
    const planned = plan(
      [
        { a: "1\n", b: "1\n", c: "1\n" },
        { a: "1\n", b: "x\n", c: "x\n" },
        { a: "2\n", b: "2\n", c: "1\n" },
      ],
      { once },
    );
    expect(effects(planned)).toEqual({ a: "2\n" });
    expect(findings(planned)).toEqual(["b kept-yours"]);
  });

  it("is kept, with the template's beside it, when it is no text", () => {
    const planned = plan([{ a: "1\0" }, { a: "2\0" }, { a: "3\0" }]);
    expect(effects(planned)).toEqual({ "a.new": "3\0" });
    expect(conflicts(planned)).toEqual(["a unmergeable a.new"]);
  });

  it("is kept, with the template's beside it, when it is no JSON any more", () => {
    const planned = plan([{ "a.json": "{}\n" }, { "a.json": "{,\n" }, { "a.json": '{"b":1}\n' }]);
    expect(effects(planned)).toEqual({ "a.json.new": '{"b":1}\n' });
    expect(conflicts(planned)).toEqual(["a.json unmergeable a.json.new"]);
  });
});

describe("a file that the user deleted", () => {
  const trees: [Given, Given, Given] = [{ a: "1\n" }, {}, { a: "2\n" }];

  it("stays deleted, and that is said", () => {
    expect(plan(trees)).toMatchObject({ changes: [], conflicts: [] });
    expect(findings(plan(trees))).toEqual(["a stays-deleted"]);
    expect(findings(plan(trees, { once: ["a"] }))).toEqual(["a stays-deleted"]);
  });

  it("is not spoken of when it was theirs and the template has no news of it", () => {
    expect(plan([{ a: "1\n" }, {}, { a: "1\n" }], { once: ["a"] })).toEqual(NOTHING);
  });

  it("comes back when it is wanted back", () => {
    const restore = new Set(["a"]);
    expect(effects(plan(trees, { restore }))).toEqual({ a: "2\n" });
    expect(effects(plan([{ a: "1\n" }, {}, { a: "1\n" }], { restore }))).toEqual({ a: "1\n" });
  });

  it("is said to be there when it was not deleted", () => {
    const planned = plan([{ a: "1\n" }, { a: "1\n" }, { a: "1\n" }], { restore: new Set(["a"]) });
    expect(planned.changes).toEqual([]);
    expect(findings(planned)).toEqual(["a not-deleted"]);
  });

  it("says how it comes back", () => {
    const [finding] = plan(trees).findings;
    expect(finding?.message).toContain("--restore a brings it back");
  });

  it("is refused to come back when the template has no such file", () => {
    expect(() => plan(trees, { restore: new Set(["b"]) })).toThrow(UserError);
  });
});

describe("a file that the user moved", () => {
  it("gets the template's change where it is now", () => {
    const planned = plan([
      { "a/x.ts": LONG },
      { "b/y.ts": `${LONG}own\n` },
      { "a/x.ts": `new\n${LONG}` },
    ]);
    expect(effects(planned)).toEqual({ "b/y.ts": `new\n${LONG}own\n` });
    expect(findings(planned)).toEqual(["b/y.ts moved"]);
  });

  it("is not touched when it is not certain which it is", () => {
    const twice = { "b/y.ts": `${LONG}own\n`, "b/z.ts": `${LONG}other\n` };
    const planned = plan([{ "a/x.ts": LONG }, twice, { "a/x.ts": `new\n${LONG}` }]);
    expect(planned.changes).toEqual([]);
    expect(findings(planned)).toEqual(["a/x.ts stays-deleted", "b/y.ts maybe-moved"]);
  });

  it("is not looked for among short files, which are alike by chance", () => {
    const planned = plan([
      { "a.ts": "export {};\n" },
      { "b.ts": "export { };\n" },
      { "a.ts": "x\n" },
    ]);
    expect(planned.changes).toEqual([]);
  });
});

describe("a file that the user moved, and the template drops or moves, too", () => {
  const own = { "c.ts": `${LONG}own\n` };

  it("stays where it is, and that is said", () => {
    const planned = plan([{ "a.ts": LONG }, own, {}]);
    expect(planned.changes).toEqual([]);
    expect(findings(planned)).toEqual(["c.ts kept-edited"]);
  });

  it("may be that file, and that is said", () => {
    const planned = plan([{ "a.ts": LONG }, { ...own, "d.ts": `${LONG}other\n` }, {}]);
    expect(planned.changes).toEqual([]);
    expect(findings(planned)).toEqual(["c.ts maybe-moved"]);
  });

  it("gets the template's change where the user has it", () => {
    const planned = plan([{ "a.ts": LONG }, own, { "b.ts": `new\n${LONG}` }]);
    expect(effects(planned)).toEqual({ "c.ts": `new\n${LONG}own\n` });
    expect(planned.findings).toEqual([
      {
        path: "c.ts",
        kind: "moved",
        message:
          "you moved a.ts here, and the template to b.ts: yours stays; " +
          "the template's change to it was made here, too",
      },
    ]);
    const unchanged = plan([{ "a.ts": LONG }, own, { "b.ts": LONG }]);
    expect(unchanged.changes).toEqual([]);
    expect(findings(unchanged)).toEqual(["c.ts moved"]);
  });

  it("comes to its new place on request", () => {
    const planned = plan([{ "a.ts": LONG }, own, { "b.ts": LONG }], { restore: new Set(["b.ts"]) });
    expect(effects(planned)).toEqual({ "b.ts": LONG });
  });
});

describe("a file that the template dropped", () => {
  it("goes when the user left it alone", () => {
    const planned = plan([{ a: "1\n", b: "1\n" }, { a: "1\n", b: "x\n" }, {}]);
    expect(effects(planned)).toEqual({ a: null });
    expect(findings(planned)).toEqual(["b kept-edited"]);
  });

  it("is nothing to speak of when the user deleted it, too", () => {
    expect(plan([{ a: "1\n" }, {}, {}])).toEqual(NOTHING);
  });
});

describe("a file that the template moved", () => {
  it("takes the user's edits along", () => {
    const planned = plan([
      { "a.ts": LONG },
      { "a.ts": `${LONG}own\n` },
      { "b.ts": `new\n${LONG}` },
    ]);
    expect(effects(planned)).toEqual({ "a.ts": null, "b.ts": `new\n${LONG}own\n` });
    expect(findings(planned)).toEqual(["b.ts moved"]);
  });

  it.each([
    ["rewritten", "a.ts", "b.ts", "something else\n", "taken"],
    [
      "given a byte that is no UTF-8",
      "a.ts",
      "b.ts",
      Buffer.from(`${LONG}\xE9`, "latin1"),
      "unmergeable",
    ],
    ["broken", "a.json", "b.json", `${JSON_TEXT}{,\n`, "unmergeable"],
  ])("stays where it is when it was %s, and the template's is a question", (...given) => {
    const [, from, to, own, kind] = given;
    const was = from.endsWith(".json") ? JSON_TEXT : LONG;
    const now = was.replace(/number 1\b/, "number one");
    const planned = plan([{ [from]: was }, { [from]: own }, { [to]: now }]);
    expect(effects(planned)).toEqual({ [to]: now });
    expect(conflicts(planned)).toEqual([`${from} ${kind} ${to}`]);
    expect(findings(planned)).toEqual([]);
  });

  it("stays where it is when something stands in the way of the new place", () => {
    const obstacles = new Map([["b.ts", "link" as const]]);
    const planned = plan([{ "a.ts": LONG }, { "a.ts": `${LONG}own\n` }, { "b.ts": LONG }], {
      obstacles,
    });
    expect(effects(planned)).toEqual({ "b.ts.new": LONG });
    expect(conflicts(planned)).toEqual(["b.ts blocked b.ts.new"]);
    expect(findings(planned)).toEqual(["a.ts kept-edited"]);
  });

  it("is simply moved when there are none", () => {
    const planned = plan([{ "a.ts": LONG }, { "a.ts": LONG }, { "b.ts": `new\n${LONG}` }]);
    expect(effects(planned)).toEqual({ "a.ts": null, "b.ts": `new\n${LONG}` });
    expect(findings(planned)).toEqual([]);
  });

  it("stays deleted when the user deleted it", () => {
    const planned = plan([{ "a.ts": LONG }, {}, { "b.ts": LONG }]);
    expect(planned.changes).toEqual([]);
    expect(findings(planned)).toEqual(["b.ts stays-deleted"]);
  });
});

describe("a file where the template has none yet", () => {
  it("is kept, with the template's beside it", () => {
    const planned = plan([{}, { a: "x\n" }, { a: "1\n" }]);
    expect(effects(planned)).toEqual({ "a.new": "1\n" });
    expect(conflicts(planned)).toEqual(["a taken a.new"]);
  });

  it("is adopted when it is the same", () => {
    expect(plan([{}, { a: "1\n" }, { a: "1\n" }])).toEqual(NOTHING);
  });

  it("has the template's beside it under a name that is free", () => {
    const planned = plan([{}, { a: "x\n", "a.new": "own\n" }, { a: "1\n" }]);
    expect(effects(planned)).toEqual({ "a.new2": "1\n" });
    const again = plan([{}, { a: "x\n", "a.new": "own\n", "a.new2": "1\n" }, { a: "1\n" }]);
    expect(again.changes).toEqual([]);
    expect(conflicts(again)).toEqual(["a taken a.new2"]);
  });
});

describe("what stands in the way of a file", () => {
  it("is left there, with the template's file beside it", () => {
    const planned = plan([{}, { "a/b": "x\n" }, { "a/b/c": "1\n", d: "2\n", "e/f": "3\n" }], {
      obstacles: new Map([
        ["d", "link" as const],
        ["e", "folder" as const],
      ]),
    });
    expect(effects(planned)).toEqual({ "a/b.new/c": "1\n", "d.new": "2\n", "e/f": "3\n" });
    expect(conflicts(planned)).toEqual(["a/b/c blocked a/b.new/c", "d blocked d.new"]);
  });

  it("is nobody's business when the template has no news", () => {
    const obstacles = new Map([["a", "folder" as const]]);
    expect(plan([{ a: "1\n" }, { "a/b": "x\n" }, { a: "1\n" }], { obstacles })).toEqual(NOTHING);
  });
});

describe("a file of which the old text is lost", () => {
  const unknown = new Set(["a"]);

  it("becomes a question, and all others go on", () => {
    const planned = plan([{ b: "1\n" }, { a: "x\n", b: "1\n" }, { a: "2\n", b: "2\n" }], {
      unknown,
    });
    expect(effects(planned)).toEqual({ "a.new": "2\n", b: "2\n" });
    expect(conflicts(planned)).toEqual(["a unknown-base a.new"]);
  });

  it("is none when it is what the template wants, or the user's alone, or gone", () => {
    expect(plan([{}, { a: "2\n" }, { a: "2\n" }], { unknown })).toEqual(NOTHING);
    const yours = plan([{}, { a: "x\n" }, { a: "2\n" }], { unknown, once: ["a"] });
    expect([yours.changes, findings(yours)]).toEqual([[], ["a kept-yours"]]);
    expect(findings(plan([{}, { a: "x\n" }, {}], { unknown }))).toEqual(["a kept-edited"]);
    expect(findings(plan([{}, {}, { a: "2\n" }], { unknown }))).toEqual(["a stays-deleted"]);
  });
});

describe("a file's mode", () => {
  const texts: [Given, Given, Given] = [{ a: "1\n" }, { a: "1\n" }, { a: "1\n" }];
  const modeOf = (runs: Record<string, number>) =>
    plan(texts, { runs }).changes.map(({ after }) => (after as DiskFile).mode.toString(8));

  it.each([
    ["follows the template", { "theirs:a": 0o755 }, ["755"]],
    [
      "follows it only as far as the file may be read",
      { "mine:a": 0o600, "theirs:a": 0o755 },
      ["700"],
    ],
    ["loses the bit", { "base:a": 0o755, "mine:a": 0o775 }, ["664"]],
    ["stays the user's", { "mine:a": 0o755 }, []],
    ["stays the user's, when the template agrees", { "mine:a": 0o775, "theirs:a": 0o755 }, []],
    ["is not the template's business otherwise", { "mine:a": 0o600 }, []],
  ])("%s", (_, runs, expected) => {
    expect(modeOf(runs)).toEqual(expected);
  });
});

describe("the state file", () => {
  it("is always the template's", () => {
    const [was, own, wanted] = ["1\n", "edited\n", "2\n"].map((text) => ({ [STATE]: text }));
    expect(effects(plan([was ?? {}, own ?? {}, wanted ?? {}]))).toEqual(wanted);
  });
});

describe("the marks of an earlier conflict", () => {
  const marked = "<<<<<<< yours\na\n=======\nb\n>>>>>>> template\n";

  it("have to go first", () => {
    expect(() => plan([{ a: "1\n" }, { a: marked }, { a: "2\n" }])).toThrow(/still marked in a/);
  });

  it("are no marks in the user's own files, or in those of the template", () => {
    expect(plan([{}, { own: marked }, {}])).toEqual(NOTHING);
    expect(effects(plan([{ a: marked }, { a: marked }, { a: "2\n" }]))).toEqual({ a: "2\n" });
  });
});

const NOTHING: Plan = { changes: [], conflicts: [], findings: [] };
