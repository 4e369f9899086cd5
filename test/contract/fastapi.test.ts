import { dirname, join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { runCheck } from "../../src/verify/check.ts";
import { dependencyChecks } from "../../src/verify/checks/dependencies.ts";
import { accepts } from "../../src/verify/json-route.ts";
import { Launcher } from "../../src/verify/launch.ts";
import { CHECKS } from "../../src/verify/run-contract.ts";
import type { Target } from "../../src/verify/target.ts";
import { installPython } from "../e2e/python.ts";

const FOLDER = join(import.meta.dirname, "fastapi");
const ROUTE = {
  path: "/api/v1/receipts/points",
  valid: {
    retailer: "Target",
    items: [{ shortDescription: "A drink", price: "1.25" }],
    total: "1.25",
  },
};
const PROBES = "it needs routes that fail on purpose";

let launcher: Launcher;
let target: Target;

beforeAll(async () => {
  const python = await installPython(join(FOLDER, "requirements.txt"));
  launcher = new Launcher({
    program: python,
    args: ["-m", "gunicorn", "app:app"],
    folder: FOLDER,
    environment: { PATH: `${dirname(python)}:${process.env["PATH"]}` },
  });
  const { url, metricsUrl, output } = await launcher.launch({ workers: 2 });
  target = { url, metricsUrl, output, jsonRoute: ROUTE, launch: launcher.launch };
  expect(await accepts(url, ROUTE)).toBe(true);
});
afterAll(() => launcher?.stop());

// A must that a straightforward service in Python does not meet would be no part of the standard.
const musts = CHECKS.filter(({ level }) => level === undefined).filter(
  (check) => !dependencyChecks.includes(check),
);
const alone = musts.filter(({ id }) => {
  // Whether a collector makes requests slower is measured.
  return !/^(cors|docs|process|settings|telemetry)\./.test(id) || id.includes("collector");
});
const beside = musts.filter((check) => !alone.includes(check));

test.each(alone)("$id", async (check) => expectMet(check));

// Each has instances of its own, which take seconds to start.
test.concurrent.each(beside)("$id", async (check) => expectMet(check));

async function expectMet(check: (typeof CHECKS)[number]): Promise<void> {
  const { sentence, outcome, note } = await runCheck(check, target);
  const needsProbes = outcome === "not checked" && note === PROBES;
  expect(needsProbes ? "passed" : outcome, `${note}\nthe standard: ${sentence}`).toBe("passed");
}
