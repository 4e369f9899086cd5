import { describe, expect, it } from "vitest";

import { mergeFile } from "../../../../../src/plan/merge/three-way/merge-file.ts";
import { mergeYaml } from "../../../../../src/plan/merge/three-way/yaml.ts";
import { parseYaml } from "../../../../../src/plan/merge/three-way/yaml.ts";
import { render } from "../../../../../src/plan/render.ts";
import { answersWith, templates } from "../../../../support/templates.ts";

const BASE = `# What this is.
name: demo
compute:
  cpu: 512 # units
  # Megabytes.
  memory: 1024

environment:
  LOG_LEVEL: info

dependencies: []
iam:
  policy_statements: []
`;

const THEIRS = BASE.replace(
  "dependencies: []",
  `dependencies:
  - type: fetch_msk_cluster
    name: main
  - type: kafka_topic
    name: demo
    unmanaged:
      permissions: read_write`,
).replace(
  "  policy_statements: []",
  `  policy_statements:
    - effect: Allow
      actions: [Connect, ReadData]
      resources: ["*"]`,
);

describe("YAML", () => {
  it("takes what the template adds, and leaves all other lines alone", () => {
    const mine = BASE.replace("512 # units", "1024   # a lot")
      .replace("  LOG_LEVEL: info\n", "  LOG_LEVEL: info\n  OWN: 'yes'\n  # OLD: no\n")
      .replace("name: demo", "name:   demo");
    const expected = THEIRS.replace("512 # units", "1024   # a lot")
      .replace("  LOG_LEVEL: info\n", "  LOG_LEVEL: info\n  OWN: 'yes'\n  # OLD: no\n")
      .replace("name: demo", "name:   demo");
    expect(mergeYaml(BASE, mine, THEIRS)).toEqual({ text: expected, conflicts: 0, notes: [] });
  });

  it("puts both sides' entries at one place, yours first or in the template's order", () => {
    const mine = BASE.replace("info\n", "info\n  MINE: 1\n");
    const theirs = BASE.replace("info\n", "info\n  THEIRS: 2\n");
    const { text = "" } = mergeYaml(BASE, mine, theirs) ?? {};
    expect(text).toContain("  LOG_LEVEL: info\n  MINE: 1\n  THEIRS: 2\n");
  });

  it("has both sides' items in a list, each as it was indented", () => {
    const mine = BASE.replace("dependencies: []", "dependencies:\n    # ours\n    - type: own # x");
    const { text = "" } = mergeYaml(BASE, mine, THEIRS) ?? {};
    expect(text).toContain("    # ours\n    - type: own # x\n");
    expect(text).toContain("    - type: kafka_topic\n      name: demo\n      unmanaged:\n");
  });

  it("lets the user edit what an integration brought", () => {
    const mine = THEIRS.replace("read_write", "read # only").replace(
      "[Connect, ReadData]",
      "[Connect, ReadData, WriteData]",
    );
    const theirs = THEIRS.replace("name: main", "name: shared").replace(
      "Connect, ",
      "Connect, Alter, ",
    );
    const { text, notes } = mergeYaml(THEIRS, mine, theirs) ?? {};
    expect(text).toContain("name: shared\n  - type: kafka_topic\n    name: demo\n");
    expect(text).toContain("permissions: read # only\n");
    expect(text).toContain("actions: [Connect, Alter, ReadData, WriteData]");
    expect(notes).toMatchObject([{ kind: "list" }]);
    expect(notes?.[0]?.message).toContain("both of you changed this list");
  });

  it("takes away what an integration brought, but for what was edited", () => {
    expect(mergeYaml(THEIRS, `${THEIRS}own: 1\n`, BASE)?.text).toBe(`${BASE}own: 1\n`);
    const mine = THEIRS.replace("read_write", "read");
    const { text, notes } = mergeYaml(THEIRS, mine, BASE) ?? {};
    expect(text).toContain("permissions: read\n");
    expect(text).not.toContain("msk_cluster");
    expect(notes).toMatchObject([{ kind: "kept-edited" }]);
  });

  it("takes its items out of a list of which the user has the others", () => {
    const base = "include:\n  - kafka.yaml\nname: demo\n";
    const mine = "include:\n  - ours.yaml # ours\n  - kafka.yaml\nname: demo\n";
    expect(mergeYaml(base, mine, "name: demo\n")?.text).toBe(
      "include:\n  - ours.yaml # ours\nname: demo\n",
    );
  });

  it("takes a list away of which the user has nothing else", () => {
    const base = "include:\n  - kafka.yaml\nname: demo\n";
    const merged = mergeYaml(base, `${base}ours: true\n`, "name: demo\n");
    expect(merged).toMatchObject({ text: "name: demo\nours: true\n", notes: [] });
  });

  it("leaves the spaces between brackets as they are", () => {
    const mine = "a: {b: 1, c: 2}\nd: [ e ]\n";
    const merged = mergeYaml("a: { b: 1 }\nd: [e]\n", mine, "a: { b: 3 }\nd: [e, f]\n");
    expect(merged?.text).toBe("a: {b: 3, c: 2}\nd: [ e, f ]\n");
  });

  it("keeps the user's value where both changed it, and says so", () => {
    const [mine, theirs] = [BASE.replace("1024", "2048"), BASE.replace("1024", "4096")];
    const merged = mergeYaml(BASE, mine, `${theirs}more: 1\n`);
    expect(merged?.text).toBe(`${mine}more: 1\n`);
    expect(merged?.notes).toEqual([
      { kind: "value", message: "compute.memory: yours is 2048, the template's 4096; yours stays" },
    ]);
  });

  it("keeps comments of the user's, also when what they are about goes", () => {
    const mine = BASE.replace("  cpu", "  # mine\n  cpu").replace(
      "  # Meg",
      "  # also mine\n  # Meg",
    );
    const theirs = BASE.replace("  cpu: 512 # units\n", "");
    const { text = "" } = mergeYaml(BASE, mine, theirs) ?? {};
    expect(text).toContain("# mine\n");
    expect(text).toContain("  # also mine\n  # Megabytes.\n");
  });

  it("takes the template's new comments", () => {
    const theirs = BASE.replace("Megabytes.", "In megabytes.").replace("# units", "# CPU units");
    expect(mergeYaml(BASE, `${BASE}own: 1\n`, theirs)?.text).toBe(`${theirs}own: 1\n`);
  });

  it("keeps line ends and a missing one", () => {
    const mine = `${BASE}own: 1`.replaceAll("\n", "\r\n");
    expect(mergeYaml(BASE, mine, THEIRS)?.text).toBe(`${THEIRS}own: 1`.replaceAll("\n", "\r\n"));
  });

  it.each([
    ["it does not parse", `${BASE}  - x: [\n`],
    ["an alias has no anchor", `${BASE}b: *x\n`],
    ["it has keys of their own kind", `${BASE}? a\n: 1\n`],
    ["it is a scalar", "text\n"],
    ["it is empty", ""],
  ])("has nothing to say when %s", (_, mine) => {
    expect(mergeYaml(BASE, mine, THEIRS)).toBeUndefined();
  });
});

describe("YAML with anchors, aliases, merge keys and tags", () => {
  const base = `services:
  app:
    image: app
    environment:
      LOG_LEVEL: info
    ports:
      - 8000:8000
`;
  const mine = `x-common: &common
  restart: always
  labels: &labels [team=owls]

services:
  app:
    <<: *common
    image: !reset null
    environment: &env
      LOG_LEVEL: debug
    ports: !override
      - 8000:8000
  worker:
    <<: [*common]
    environment: *env
    labels: *labels
`;
  const theirs = base
    .replace("LOG_LEVEL: info\n", "LOG_LEVEL: info\n      NEW: 1\n")
    .replace("      - 8000:8000\n", "      - 8000:8000\n      - 8080:8080\n");

  it("is merged by its keys", () => {
    const { text, notes } = mergeYaml(base, mine, theirs) ?? {};
    expect(text).toBe(
      mine
        .replace("LOG_LEVEL: debug\n", "LOG_LEVEL: debug\n      NEW: 1\n")
        .replace("      - 8000:8000\n", "      - 8000:8000\n      - 8080:8080\n"),
    );
    expect(notes).toEqual([]);
  });

  it("keeps an entry of which the user changed the tag alone, and says so", () => {
    const own = base.replace("image: app", "image: !reset app");
    const { text, notes } = mergeYaml(base, own, base.replace("    image: app\n", "")) ?? {};
    expect(text).toBe(own);
    expect(notes).toMatchObject([{ kind: "kept-edited" }]);
  });

  it("takes an anchor of the template's, with what refers to it", () => {
    const wanted = base
      .replace("environment:\n", "environment: &env\n")
      .replace(/$/, "  worker:\n    environment: *env\n");
    const own = base.replace("LOG_LEVEL: info", "LOG_LEVEL: debug");
    expect(mergeYaml(base, own, wanted)?.text).toBe(wanted.replace("info", "debug"));
  });

  it("is not merged by key where an alias would lose its anchor", () => {
    const wanted = base.replace("image: app", "image: &image app").concat("  b: *image\n");
    const own = base.replace("    image: app\n", "");
    expect(mergeYaml(base, own, wanted)).toBeUndefined();
  });

  it("is read without losing a character", () => {
    const texts = ["a: &x\n  - !t &y b\n  - *y\nc: {d: &z 1, e: *z}\nf: !!str 1\n", mine];
    for (const source of texts) {
      const { root, after } = parseYaml(source);
      expect(partsOf(root) + after).toBe(source);
    }
  });
});

describe("YAML that is merged by its lines", () => {
  // Keys of this kind are not merged by key.
  const base = "? x\n: 1\n\nenv:\n  A: 1\n\nend: 1\n";
  const merge = (mine: string, theirs: string) => {
    const bytes = { base: Buffer.from(base), mine: Buffer.from(mine), theirs: Buffer.from(theirs) };
    const merged = mergeFile("a.yml", bytes, { mine: "yours", theirs: "template" });
    return merged && { conflicts: merged.conflicts, text: Buffer.from(merged.bytes).toString() };
  };

  it("has what both added at one place", () => {
    const merged = merge(
      base.replace("  A: 1\n", "  A: 1\n  M: 1\n"),
      base.replace("  A: 1\n", "  A: 1\n  T: 1\n"),
    );
    expect(merged).toEqual({
      text: base.replace("  A: 1\n", "  A: 1\n  M: 1\n  T: 1\n"),
      conflicts: 0,
    });
  });

  it("is a conflict where both added the same key with another value", () => {
    const merged = merge(
      base.replace("  A: 1\n", "  A: 1\n  B: 1\n"),
      base.replace("  A: 1\n", "  A: 1\n  B: 2\n"),
    );
    expect(merged?.conflicts).toBe(1);
    expect(merged?.text).toContain("<<<<<<< yours\n  B: 1\n=======\n  B: 2\n>>>>>>> template\n");
  });

  it("is not merged where both added the same key at two places", () => {
    expect(merge(`B: 1\n${base}`, `${base}B: 2\n`)).toBeUndefined();
  });
});

describe("reading YAML", () => {
  const all = templates.manifest.integrations.map(({ name }) => name);
  const files = [...render(templates, answersWith({ integrations: all }))].filter(([path]) =>
    /\.ya?ml$/.test(path),
  );

  it.each(files)("%s", (_, { bytes }) => {
    const text = Buffer.from(bytes).toString("utf8");
    const { root, after } = parseYaml(text);
    expect(root.text + after).toBe(text);
  });

  it.each([
    "a:\n- b\n- c:\n    d\n",
    "- - a\n  - b\n-\n  c: 1\n- |\n  x\n\n  y\n- >-\n  z\n",
    'a: {b: 1, c: [2]} # d\ne:\n\n  f: "g\n    h"\n# end\n',
    "a:\nb: ~\n---\nc: d\n",
  ])("%j", (text) => {
    const { root, after } = parseYaml(text);
    expect(root.text + after).toBe(text);
    expect(partsOf(root)).toBe(root.text);
  });
});

/** The text of a node, put together from those of its smallest parts. */
function partsOf(node: ReturnType<typeof parseYaml>["root"]): string {
  return node.layout.flow || node.entries.length === 0
    ? node.text
    : node.entries
        .map(({ before, head, node: value, after }, index) => {
          const space = index === 0 && node.layout.inline ? "" : " ".repeat(node.layout.indent);
          return before + space + head + partsOf(value) + after;
        })
        .join("");
}
