import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { deaths } from "./drills/deaths.ts";
import { fullStop, lossless } from "./drills/lossless.ts";
import { type Drill, failuresOf, type Outcome } from "./drills/outcome.ts";
import { releases } from "./drills/releases.ts";
import { endAll, type Subject } from "./subject.ts";
import { fastapi, hasPython } from "./subjects/fastapi.ts";
import { generatedService } from "./subjects/generated-service.ts";
import { tableOf } from "./table.ts";

// Of the four drills in which no request may fail, together more than 100,000.
const REQUESTS = 28_000;
const REQUESTS_ON_EXPRESS = 7_000;
const all = [...lossless, fullStop, ...deaths, ...releases];
const python = await hasPython();
if (!python) {
  if (process.env["CI"]) throw new Error("the comparison needs python3 with venv");
  process.stderr.write("python3 with venv is missing: the comparison with FastAPI is skipped\n");
}

const folder = mkdtempSync(join(tmpdir(), "drills-"));
const columns = new Map<string, Map<string, Outcome>>();
afterEach(endAll);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function drill(
  make: (folder: string) => Promise<Subject>,
  requests: number,
  drills: Drill[] = all,
): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome>();
  let subject: Subject;
  beforeAll(async () => {
    subject = await make(folder);
    columns.set(subject.name, outcomes);
  });
  for (const { title, perform } of drills) {
    it(title, async () => {
      const outcome = await perform(subject, requests);
      outcomes.set(title, outcome);
      expect(outcome.text).not.toBe("");
    });
  }
  return outcomes;
}

it("a wrong end counts, also when every request was answered", () => {
  const tally = { sent: 10, answered: 10, failures: [] };
  expect(failuresOf(tally, "").wrong).toBe(0);
  expect(failuresOf(tally, ", exit 1").wrong).toBe(1);
});

describe("this service", () => {
  const ours = drill((parent) => generatedService(parent, "fastify"), REQUESTS);

  it("lost no request in more than 100,000 through reload, scaling, recycling and stop", () => {
    const outcomes = lossless.map(({ title }) => ours.get(title));
    expect(outcomes.map((outcome) => outcome?.wrong)).toEqual([0, 0, 0, 0]);
    const sent = outcomes.reduce((sum, outcome) => sum + (outcome?.sent ?? 0), 0);
    expect(sent).toBeGreaterThan(100_000);
  });

  it.each(all.filter(({ title }) => !title.startsWith("a crash loop")))(
    "nothing went wrong in: $title",
    ({ title }) => {
      expect(ours.get(title)).toMatchObject({ wrong: 0 });
    },
  );
});

describe.skipIf(!python)("the reference", () => {
  drill(fastapi, 0);
});

// What a framework could spoil: requests in flight and connections that are kept, while workers come and go.
describe("this service on Express", () => {
  const outcomes = drill(
    (parent) => generatedService(parent, "express"),
    REQUESTS_ON_EXPRESS,
    lossless,
  );

  it.each(lossless)("nothing went wrong in: $title", ({ title }) => {
    expect(outcomes.get(title)).toMatchObject({ wrong: 0 });
  });
});

describe("the comparison", () => {
  it("is printed, and written to test/drills/table.md", () => {
    const table = tableOf(all, columns);
    writeFileSync(join(import.meta.dirname, "table.md"), `${table}\n`);
    process.stdout.write(`\n${table}\n\n`);
    expect(table.split("\n")).toHaveLength(all.length + 2);
  });

  it.skipIf(!python).each(all)("$title: at least as good", ({ title }) => {
    // In the order in which they were drilled.
    const [ours, theirs] = [...columns.values()].map((outcomes) => outcomes.get(title)?.wrong);
    expect(ours).toBeLessThanOrEqual(theirs ?? -1);
  });
});
