import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Edit {
  path: string;
  find: string;
  put: string;
}

/** What a team makes of its service. */
export interface TeamWork {
  edits: readonly Edit[];
  /** Files of its own, by path. */
  files: Readonly<Record<string, string>>;
  deleted: readonly string[];
  /** Saved as an editor on Windows would. */
  windows?: readonly string[];
}

/** What every team does to files that it got, in places where integrations and updates work, too. */
export const COMMON_EDITS: readonly Edit[] = [
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
  {
    path: "Dockerfile",
    find: "ENV NODE_ENV=production\n",
    put: "ENV NODE_ENV=production\nLABEL team=owls\n",
  },
  {
    path: "compose.yaml",
    find: "      ENVIRONMENT: dev\n",
    put: "      ENVIRONMENT: dev\n      STORE_REGION: north\n",
  },
];

/** A team's work on a service of this version. */
export const TEAM_WORK: TeamWork = {
  edits: [
    {
      path: "src/app.ts",
      find: "import { listRules, scoreReceipt }",
      put: 'import { findStore } from "./routes/stores.ts";\nimport { listRules, scoreReceipt }',
    },
    {
      path: "src/app.ts",
      find: "[scoreReceipt, listRules,",
      put: "[scoreReceipt, listRules, findStore,",
    },
    ...COMMON_EDITS,
  ],
  files: {
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
  },
  deleted: ["observability/alerts.yml"],
  windows: ["README.md"],
};

/** Works on a fresh service as its team would. */
export function doTeamWork(
  service: string,
  { edits, files, deleted, windows = [] }: TeamWork,
): void {
  edits.forEach((edit) => makeEdit(service, edit));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(service, path)), { recursive: true });
    writeFileSync(join(service, path), text);
  }
  for (const path of windows) {
    const text = readFileSync(join(service, path), "utf8");
    writeFileSync(join(service, path), text.replaceAll("\n", "\r\n"));
  }
  deleted.forEach((path) => rmSync(join(service, path)));
}

/** Puts something in the place of a text that has to be there. */
export function makeEdit(service: string, { path, find, put }: Edit): void {
  const text = readFileSync(join(service, path), "utf8");
  if (!text.includes(find)) {
    throw new Error(`${path} no longer has ${JSON.stringify(find)}`);
  }
  writeFileSync(
    join(service, path),
    text.replace(find, () => put),
  );
}

/** What of the team's work is no longer there. */
export function lostWork(service: string, { edits, files }: TeamWork): string[] {
  const read = (path: string) => readFileSync(join(service, path), "utf8").replaceAll("\r\n", "\n");
  const lost = edits.flatMap(({ path, find, put }) => {
    const own = put.replace(find, "").split("\n");
    const text = read(path);
    return own.filter((line) => !text.includes(line.trim())).map((line) => `${path}: ${line}`);
  });
  const changed = Object.entries(files).filter(([path, text]) => read(path) !== text);
  return [...lost, ...changed.map(([path]) => path)];
}
