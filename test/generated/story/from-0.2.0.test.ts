import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { runScript, sharedInstall } from "../../support/generated.ts";
import { startBuilt } from "../../support/running-service.ts";
import { doTeamWork, lostWork, makeEdit, type TeamWork } from "../../support/team-edits.ts";
import { answersWith } from "../../support/templates.ts";
import { writeArchived } from "./archived.ts";
import {
  APP_EDITS,
  FULL_WORK,
  MIDDLEWARE_EDITS,
  MIDDLEWARE_FILE,
  PLAIN_WORK,
} from "./team-of-0.2.0.ts";

const CLI = join(import.meta.dirname, "../../../bin/create-fetch-service.js");
const MARKS = /^(?:<{7} |={7}$|>{7} )/m;
const WITH_CONFLICTS = 3;

async function run(cwd: string, ...args: string[]) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [CLI, ...args], {
    cwd,
    reject: false,
  });
  return { exitCode, output: `${stdout}${stderr}` };
}

function edit(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

/** Every file that an update leaves alone once it was edited: none of them is as the template wrote it. */
function makeOnceFilesTheTeams(service: string): string[] {
  const { files } = JSON.parse(readFileSync(join(service, ".fetch-service.json"), "utf8"));
  const once = Object.entries(files as Record<string, { owner: string }>).flatMap(
    ([path, { owner }]) => (owner === "once" ? [path] : []),
  );
  for (const path of once) appendFileSync(join(service, path), "// The owls'.\n");
  return once;
}

const textsOf = (service: string, paths: readonly string[]) =>
  paths.map((path) => readFileSync(join(service, path), "utf8"));

/** Files with a conflict that the team has to decide. */
function marked(service: string): string[] {
  return readdirSync(service, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(service, join(parentPath, name)))
    .filter((path) => !/^(?:node_modules|dist)\//.test(path))
    .filter((path) => MARKS.test(readFileSync(join(service, path), "utf8")));
}

/** As the changelog says: the template's side, with the team's routes in it. */
function takeTheTemplatesSide(service: string): void {
  edit(join(service, "src/app.ts"), (text) =>
    text.replace(/^<{7} [^]*?^={7}\n([^]*?)^>{7} .*\n/gm, "$1"),
  );
  makeEdit(service, {
    path: "src/app.ts",
    find: "[scoreReceipt, listRules,",
    put: "[scoreReceipt, listRules, findStore, openStore,",
  });
}

/** As the changelog says: a step of the middleware's list becomes the framework's own. */
function makeMiddlewareExpress(service: string): void {
  writeFileSync(
    join(service, "src/middleware/hoot.ts"),
    `import type { RequestHandler } from "express";

export const hoot: RequestHandler = (_req, res, next) => {
  res.setHeader("X-Owls", "hoot");
  next();
};
`,
  );
  makeEdit(service, {
    path: "src/app.ts",
    find: "  // Routes as data",
    put: "  app.use(hoot);\n\n  // Routes as data",
  });
}

interface Story {
  framework: string;
  integrations: string[];
  work: TeamWork;
  /** What the team does beside the routes in src/app.ts. */
  decide: (service: string) => void;
  /** What every answer of its own routes has. */
  headers: Record<string, string>;
}

const stories: Story[] = [
  {
    framework: "fastify",
    integrations: ["kafka", "dynamodb", "s3"],
    work: { ...FULL_WORK, edits: [...FULL_WORK.edits, ...APP_EDITS] },
    decide: () => {},
    headers: {},
  },
  {
    framework: "express",
    integrations: [],
    work: {
      ...PLAIN_WORK,
      edits: [...PLAIN_WORK.edits, ...APP_EDITS, ...MIDDLEWARE_EDITS],
      files: { ...PLAIN_WORK.files, ...MIDDLEWARE_FILE },
    },
    decide: makeMiddlewareExpress,
    headers: { "x-owls": "hoot" },
  },
];

// Each step goes on where the one before it ended.
describe.each(stories)(
  "a service of 0.2.0 on $framework with $integrations, whose src/app.ts was edited",
  ({ framework, integrations, work, decide, headers }) => {
    let service: string;
    let once: string[];
    let own: string[];

    beforeAll(() => {
      service = mkdtempSync(join(tmpdir(), "story-"));
    });

    afterAll(() => rmSync(service, { recursive: true, force: true }));

    it("works as its team has made it", async () => {
      writeArchived("0.2.0", answersWith({ framework, integrations }), service);
      doTeamWork(service, work);
      once = makeOnceFilesTheTeams(service);
      own = textsOf(service, once);
      await execa("npm", ["install", "--no-audit"], { cwd: service });
      await runScript(service, "typecheck");
      await runScript(service, "test", ["test/routes", "test/integrations", "test/readme.test.ts"]);
    });

    it("is told beforehand that only src/app.ts is to be decided", async () => {
      const planned = await run(service, "update", "--dry-run", "--check");
      expect(planned.exitCode, planned.output).toBe(WITH_CONFLICTS);
      expect(planned.output.match(/^ +~ .*to decide\)$/gm)).toEqual([
        "  ~ src/app.ts  (1 to decide)",
      ]);
    });

    it("is updated, and no line of the team's is lost", async () => {
      const { exitCode, output } = await run(service, "update");
      expect(exitCode, output).toBe(WITH_CONFLICTS);
      expect(output).toContain("src/app.ts");
      expect(marked(service)).toEqual(["src/app.ts"]);
      expect(lostWork(service, work)).toEqual([]);
      expect(textsOf(service, once)).toEqual(own);
      expect(existsSync(join(service, "observability/alerts.yml"))).toBe(false);
    });

    it.each(["typecheck", "lint", "test"])(
      "passes npm run %s when src/app.ts is decided",
      async (script) => {
        if (script === "typecheck") {
          takeTheTemplatesSide(service);
          decide(service);
          await execa("npm", ["install", "--no-audit"], { cwd: service });
        }
        await runScript(service, script);
      },
    );

    it("is built, boots and answers", async () => {
      await runScript(service, "build");
      const running = await startBuilt(service, { STORE_REGION: "east" }, "/health");
      const response = await fetch(`${running.api}/api/v1/stores/0042`);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ id: "0042", name: "The Owlery", region: "east" });
      expect(Object.fromEntries(response.headers)).toMatchObject(headers);
      const rules = await fetch(`${running.api}/api/v1/receipts/rules`);
      expect(rules.status).toBe(200);
      expect(await running.stop()).toBe(0);
    });

    it("has nothing left to update", async () => {
      const { exitCode, output } = await run(service, "update");
      expect(exitCode, output).toBe(0);
      expect(output).toContain("Nothing to do");
    });
  },
);

describe("a service of 0.2.0 whose src/app.ts is the template's", () => {
  let service: string;

  beforeAll(async () => {
    service = join(await sharedInstall(), "from-0.2.0");
    rmSync(service, { recursive: true, force: true });
    writeArchived("0.2.0", answersWith({ framework: "fastify" }), service);
    doTeamWork(service, PLAIN_WORK);
  });

  it("is updated without a conflict", async () => {
    const { exitCode, output } = await run(service, "update", "--no-install");
    expect(exitCode, output).toBe(0);
    expect(marked(service)).toEqual([]);
    expect(lostWork(service, PLAIN_WORK)).toEqual([]);
  });

  it.each(["typecheck", "lint", "test"])("passes npm run %s right away", async (script) => {
    await runScript(service, script);
  });
});
