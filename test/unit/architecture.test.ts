import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

import { describe, expect, it } from "vitest";

const SRC = join(import.meta.dirname, "../../src");

/** Who may import whom. Everything may import itself, ports and errors. */
const ARROWS: Record<string, string[]> = {
  cli: ["answers", "catalog", "plan", "apply", "system", "verify"],
  apply: ["catalog", "plan"],
  plan: ["answers", "catalog"],
  answers: ["catalog"],
  catalog: [],
  system: [],
  // It looks at services in any language from outside, and knows nothing of templates.
  verify: [],
  "ports.ts": [],
  "errors.ts": [],
};

/** The planning is pure, and may not even name what would make it impure. */
const IMPURE =
  /from "node:(?:fs|os|child_process|net|http|process)|\bprocess\.|\bDate\b|Math\.random/;

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith(".ts"),
);

function importsOf(path: string): string[] {
  const text = readFileSync(join(SRC, path), "utf8");
  return [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, target = ""]) =>
    relative(SRC, join(SRC, dirname(path), target)),
  );
}

const partOf = (path: string) => path.split("/")[0] ?? "";

/** Files that lead back to themselves, as a path; types count, because a reader follows them, too. */
function circles(): string[] {
  const imports = new Map(files.map((path) => [path, importsOf(path)]));
  const found = new Set<string>();
  const done = new Set<string>();
  const follow = (path: string, way: string[]) => {
    if (way.includes(path)) {
      found.add([...way.slice(way.indexOf(path)), path].join(" → "));
    } else if (!done.has(path)) {
      imports.get(path)?.forEach((target) => follow(target, [...way, path]));
      done.add(path);
    }
  };
  files.forEach((path) => follow(path, []));
  return [...found];
}

it("no file leads back to itself", () => {
  expect(circles()).toEqual([]);
});

describe("the arrows of the architecture", () => {
  it.each(files)("%s", (path) => {
    const own = partOf(path);
    const allowed = [own, "ports.ts", "errors.ts", ...(ARROWS[own] ?? [])];
    const others = importsOf(path).filter((target) => !target.startsWith(".."));
    expect(others.filter((target) => !allowed.includes(partOf(target)))).toEqual([]);
    expect(Object.keys(ARROWS)).toContain(own);
  });

  it.each(files.filter((path) => /^(?:plan|catalog|answers)\//.test(path)))(
    "%s is pure",
    (path) => {
      expect(readFileSync(join(SRC, path), "utf8")).not.toMatch(IMPURE);
    },
  );
});
