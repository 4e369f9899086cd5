import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { runScript } from "../../support/generated.ts";
import { nextVersion, thisVersion } from "./checkouts.ts";
import { doTeamWork, lostWork, TEAM_WORK } from "../../support/team-edits.ts";

const NEXT = "99.0.0";

let home: string;
let service: string;
let now: string;
let next: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "story-"));
  service = join(home, "receipts");
  now = thisVersion();
  next = await nextVersion(now, NEXT);
});

afterAll(() => {
  for (const folder of [home, now, next].filter(Boolean)) {
    rmSync(folder, { recursive: true, force: true });
  }
});

function run(checkout: string, cwd: string, ...args: string[]): string {
  const cli = join(checkout, "bin/create-fetch-service.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd,
    encoding: "utf8",
  });
  expect(status, `${args.join(" ")}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

/** The service type-checks, its tests pass, and the team finds all its work. */
async function check(): Promise<void> {
  expect(lostWork(service, TEAM_WORK)).toEqual([]);
  // Its packages are its own: whatever package.json names was installed by the command.
  expect(existsSync(join(service, "node_modules"))).toBe(true);
  await runScript(service, "typecheck");
  await runScript(service, "test");
}

const state = () => JSON.parse(readFileSync(join(service, ".fetch-service.json"), "utf8"));

// Each step goes on where the one before it ended.
describe("a service over the years", () => {
  it("is made, and the team works on it", async () => {
    run(now, home, "receipts", "--yes", "--no-git");
    doTeamWork(service, TEAM_WORK);
    spawnSync("npm", ["install", "--no-audit"], { cwd: service });
    await check();
  });

  it("gets Kafka", async () => {
    const out = run(now, service, "add-integration", "kafka");
    expect(out).toContain("KAFKA_BROKERS");
    expect(out).toContain("observability/alerts.yml: you deleted it");
    expect(out).not.toContain("✗");
    await check();
  });

  it("gets DynamoDB", async () => {
    run(now, service, "add-integration", "dynamodb");
    expect(state().answers.integrations).toEqual(["kafka", "dynamodb"]);
    await check();
  });

  it("is updated", async () => {
    const out = run(next, service, "update");
    expect(out).toContain(`Templates ${NEXT}:\n  - Health checks every 20 seconds`);
    expect(state().templateVersion).toBe(NEXT);
    expect(readFileSync(join(service, "README.md"), "utf8")).toContain(
      "## Routes, and more of them\r\n",
    );
    expect(readFileSync(join(service, "Dockerfile"), "utf8")).toContain("--interval=20s");
    await check();
  });

  it("loses Kafka again", async () => {
    run(next, service, "remove-integration", "kafka");
    expect(existsSync(join(service, "src/integrations/kafka"))).toBe(false);
    expect(existsSync(join(service, "src/integrations/dynamodb"))).toBe(true);
    await check();
  });

  it("is back one step before that after undo", async () => {
    run(next, service, "undo");
    expect(state().answers.integrations).toEqual(["kafka", "dynamodb"]);
    await check();
  });
});
