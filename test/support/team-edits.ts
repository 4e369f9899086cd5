import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface Edit {
  path: string;
  find: string;
  put: string;
}

/** What a team does to files that it got, in places where the integrations and updates work, too. */
const EDITS: readonly Edit[] = [
  {
    path: "src/app.ts",
    find: "import { listRules, scoreReceipt }",
    put: 'import { findStore } from "./routes/stores.ts";\nimport { listRules, scoreReceipt }',
  },
  {
    path: "src/app.ts",
    find: "routes: [scoreReceipt, listRules,",
    put: "routes: [scoreReceipt, listRules, findStore,",
  },
  {
    path: "src/platform/health.ts",
    find: "import ",
    put: "// Reviewed by the security team.\nimport ",
  },
  {
    path: "package.json",
    find: '    "pino":',
    put: '    "nanoid": "6.0.2",\n    "pino":',
  },
  {
    path: "package.json",
    find: '    "start":',
    put: '    "seed": "node src/commands/seed.ts",\n    "start":',
  },
  { path: "package.json", find: '"version": "0.1.0"', put: '"version": "0.3.7"' },
  {
    path: "README.md",
    find: "## Run\n",
    put: "Ask the owls in the channel of the same name.\n\n## Run\n",
  },
  {
    path: "README.md",
    find: "## Test\n",
    put: "## Stores\n\nEvery store has four digits.\n\n## Test\n",
  },
  { path: ".gitignore", find: "*.log\n", put: "*.log\nletters/\n" },
  { path: ".env.example", find: "LOG_LEVEL=info\n", put: "LOG_LEVEL=debug\nSTORE_REGION=north\n" },
  { path: "fsd.yml", find: "max_count: 10", put: "max_count: 40" },
  {
    path: "fsd.yml",
    find: "  LOG_LEVEL: info\n",
    put: "  LOG_LEVEL: info\n  STORE_REGION: north\n",
  },
  { path: "Dockerfile", find: "EXPOSE", put: "LABEL team=owls\nEXPOSE" },
  {
    path: "compose.yaml",
    find: "      ENVIRONMENT: dev\n",
    put: "      ENVIRONMENT: dev\n      STORE_REGION: north\n",
  },
];

const OWN_FILES: Record<string, string> = {
  "src/routes/stores.ts": `import { z } from "zod";
import { defineRoute } from "../platform/route.ts";

export const findStore = defineRoute({
  method: "GET",
  path: "/api/v1/stores/{id}",
  summary: "Find a store",
  params: z.object({ id: z.string().regex(/^\\d{4}$/) }),
  responses: { 200: z.object({ id: z.string() }) },
  handler: ({ params }) => ({ id: params.id }),
});
`,
  "test/routes/stores.test.ts": `import { expect, test } from "vitest";
import { createTestApp } from "../support.ts";

test("finds a store", async () => {
  await using app = await createTestApp();
  const response = await app.inject({ method: "GET", url: "/api/v1/stores/0042" });
  expect(response.json()).toEqual({ id: "0042" });
});
`,
  "src/commands/seed.ts": 'process.stdout.write("seeded\\n");\n',
};

const DELETED = "observability/alerts.yml";

/** Works on a fresh service as its team would. */
export function makeTeamEdits(service: string): void {
  for (const { path, find, put } of EDITS) {
    const text = readFileSync(join(service, path), "utf8");
    if (!text.includes(find)) {
      throw new Error(`${path} no longer has ${JSON.stringify(find)}`);
    }
    writeFileSync(join(service, path), text.replace(find, put));
  }
  for (const [path, text] of Object.entries(OWN_FILES)) {
    mkdirSync(dirname(join(service, path)), { recursive: true });
    writeFileSync(join(service, path), text);
  }
  // As an editor on Windows would save it.
  const readme = readFileSync(join(service, "README.md"), "utf8");
  writeFileSync(join(service, "README.md"), readme.replaceAll("\n", "\r\n"));
  rmSync(join(service, DELETED));
}

/** What of the team's work is no longer there. */
export function lostEdits(service: string): string[] {
  const read = (path: string) => readFileSync(join(service, path), "utf8").replaceAll("\r\n", "\n");
  const lost = EDITS.flatMap(({ path, find, put }) => {
    const own = put.replace(find, "").split("\n");
    const text = read(path);
    return own.filter((line) => !text.includes(line.trim())).map((line) => `${path}: ${line}`);
  });
  const files = Object.entries(OWN_FILES).filter(([path, text]) => read(path) !== text);
  return [...lost, ...files.map(([path]) => path)];
}
