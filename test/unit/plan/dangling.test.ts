import { expect, it } from "vitest";

import { danglingImports } from "../../../src/plan/dangling.ts";
import type { Change, DiskFile } from "../../../src/plan/plan.ts";

const file = (text: string): DiskFile => ({ bytes: Buffer.from(text), mode: 0o644 });
const change = (path: string, after: DiskFile | null): Change => ({
  path,
  kind: after ? "update" : "delete",
  before: null,
  after,
  conflicts: 0,
  notes: [],
});

it("names the files that import what is deleted", () => {
  const mine = new Map([
    ["src/box/port.ts", file("")],
    ["src/box/own.ts", file(`import type { Port } from './port.ts'`)],
    ["src/routes/a.ts", file(`const { open } = await import("../box/port.ts");\n`)],
    ["src/routes/b.ts", file(`import "../box/own.ts";\nimport "zod";\n`)],
    ["src/deps.ts", file(`import { open } from "./box/port.ts";\n`)],
    ["README.md", file(`import "./src/box/port.ts"`)],
  ]);
  const changes = [change("src/box/port.ts", null), change("src/deps.ts", file("// none left\n"))];
  expect(danglingImports(mine, changes)).toEqual(
    ["src/box/own.ts", "src/routes/a.ts"].map((path) => ({
      path,
      kind: "refers",
      message: "imports src/box/port.ts, deleted by this command: take out what uses it",
    })),
  );
  expect(danglingImports(mine, [])).toEqual([]);
});
