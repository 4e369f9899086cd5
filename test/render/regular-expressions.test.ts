import { parseAst } from "rolldown/parseAst";
import { checkSync } from "recheck";
import { describe, expect, it } from "vitest";

import { render } from "../../src/plan/render.ts";
import { allVariants, templates } from "../support/templates.ts";

interface Found {
  where: string;
  source: string;
  flags: string;
}

/** Modules that make expressions at run time, of texts that no stranger chooses. */
const MADE_AT_RUN_TIME = new Set(["src/platform/http/params.ts"]);
/** Expressions that are slow on long texts, and only ever see the paths of the service's own routes. */
const ON_OWN_PATHS = new Set([
  "src/platform/http/express.ts: /0+$/",
  String.raw`src/platform/http/openapi.ts: /\{([^}]+)\}/g`,
]);

const { literals, made } = inAllVariants();

describe("regular expressions in what a service runs", () => {
  it("are found", () => {
    expect(literals.length).toBeGreaterThan(20);
  });

  it("are written down, not made at run time", () => {
    expect([...made].filter((path) => !MADE_AT_RUN_TIME.has(path))).toEqual([]);
  });

  it("take linear time for any text", () => {
    const slow = literals.filter(isSlow).map(titleOf);
    expect(slow.filter((title) => !ON_OWN_PATHS.has(title))).toEqual([]);
  });

  it("would be reported otherwise", () => {
    const secret = String.raw`(?:authorization|cookie|token)[^"\\]*":`;
    expect(isSlow({ where: "", source: secret, flags: "i" })).toBe(true);
    expect(isSlow({ where: "", source: "^(a+)+$", flags: "" })).toBe(true);
    expect(isSlow({ where: "", source: String.raw`\s+$`, flags: "" })).toBe(true);
  });
});

function titleOf({ where, source, flags }: Found): string {
  return `${where}: /${source}/${flags}`;
}

/** Backtracking of any kind, and searches that begin again at each character. What is not known counts as fast. */
function isSlow({ source, flags }: Found): boolean {
  return checkSync(source, flags, { timeout: 30_000 }).status === "vulnerable";
}

function inAllVariants(): { literals: Found[]; made: Set<string> } {
  const found = new Map<string, Found>();
  const makers = new Set<string>();
  const seen = new Set<string>();
  for (const answers of allVariants(templates.manifest)) {
    for (const [path, { bytes }] of render(templates, answers)) {
      const text = Buffer.from(bytes).toString("utf8");
      if (!/^src\/.*\.ts$/.test(path) || seen.has(`${path}\n${text}`)) continue;
      seen.add(`${path}\n${text}`);
      visit(parseAst(text, { lang: "ts" }), (node) => {
        if (node.regex !== undefined) {
          const expression = { where: path, source: node.regex.pattern, flags: node.regex.flags };
          found.set(titleOf(expression), expression);
        }
        if (node.callee?.name === "RegExp") makers.add(path);
      });
    }
  }
  return { literals: [...found.values()], made: makers };
}

interface Node {
  regex?: { pattern: string; flags: string };
  callee?: { name?: string };
}

function visit(value: unknown, look: (node: Node) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) look(value);
  for (const part of Object.values(value)) visit(part, look);
}
