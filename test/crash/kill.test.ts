import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { InstalledCli, snapshotOf } from "./installed-cli.ts";

const ROUNDS = 200;
const INTEGRATION = "kafka";

let cli: InstalledCli;

beforeAll(() => {
  cli = new InstalledCli();
});

afterAll(() => cli?.remove());

/** From when on the time runs: the start, the first byte written beside the service, the decision. */
const MOMENTS = { start: ".", writing: ".fetch-service", deciding: ".fetch-service/commit" };

interface Death {
  since: keyof typeof MOMENTS;
  after: number;
}

/** Kills a run some milliseconds after a moment. Returns whether that was before its end. */
async function kill(service: string, args: string[], { since, after }: Death): Promise<boolean> {
  const child = cli.start(service, ...args, "--no-install");
  const killed = new Promise<boolean>((resolve) => {
    child.once("exit", (_, signal) => {
      resolve(signal === "SIGKILL");
    });
  });
  while (child.exitCode === null && !existsSync(join(service, MOMENTS[since]))) {
    await setTimeout(1);
  }
  await setTimeout(after);
  child.kill("SIGKILL");
  return await killed;
}

describe("kill -9", () => {
  it(`at ${ROUNDS} random points leaves what the next command makes wholly old or wholly new`, async () => {
    const without = snapshotOf(cli.create("without", "none"));
    const whole = snapshotOf(cli.create("whole", INTEGRATION));
    const service = cli.create("service", "none");
    const deaths = fc.sample(
      fc.oneof(
        fc.record({ since: fc.constant("start" as const), after: fc.nat(250) }),
        fc.record({ since: fc.constant("writing" as const), after: fc.nat(60) }),
        fc.record({ since: fc.constant("deciding" as const), after: fc.nat(4) }),
      ),
      ROUNDS,
    );
    let isThere = false;
    const counts = { killed: 0, old: 0, new: 0, "cut off and finished": 0, "in the middle": 0 };
    for (const [round, death] of deaths.entries()) {
      rmSync(join(service, ".fetch-service"), { recursive: true, force: true });
      const command = isThere ? "remove-integration" : "add-integration";
      const [before, wanted] = isThere ? [whole, without] : [without, whole];
      const killed = await kill(service, [command, INTEGRATION], death);
      counts.killed += Number(killed);
      const cut = snapshotOf(service);
      counts["in the middle"] += Number(!equal(cut, before) && !equal(cut, wanted));
      const { code, output } = cli.run(service, "status");
      const title = `round ${round}: killed ${death.after} ms after ${death.since}`;
      expect(code, `${title}\n${output}`).toBe(0);
      counts["cut off and finished"] += Number(output.includes("was interrupted"));
      const found = snapshotOf(service);
      const isNew = equal(found, wanted);
      if (!isNew) {
        expect(found, title).toEqual(before);
      }
      counts[isNew ? "new" : "old"] += 1;
      isThere = isNew !== isThere;
    }
    console.log(`${ROUNDS} rounds: ${JSON.stringify(counts)}`);
    expect(counts.killed).toBeGreaterThan(ROUNDS / 4);
    // Otherwise nothing was proven of the moment that matters.
    expect(counts["in the middle"]).toBeGreaterThan(0);
  });
});

function equal(one: Map<string, string>, two: Map<string, string>): boolean {
  return one.size === two.size && [...one].every(([path, text]) => two.get(path) === text);
}
