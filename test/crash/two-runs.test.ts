import { rmSync } from "node:fs";
import { text } from "node:stream/consumers";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { templates } from "../support/templates.ts";
import { InstalledCli, snapshotOf } from "./installed-cli.ts";

const ROUNDS = 20;
const [first = "", second = first] = templates.manifest.integrations.map(({ name }) => name);

let cli: InstalledCli;

beforeAll(() => {
  cli = new InstalledCli();
});

afterAll(() => cli?.remove());

async function finish(
  service: string,
  ...args: string[]
): Promise<{ code: number; error: string }> {
  const child = cli.start(service, ...args);
  const [code, error] = await Promise.all([
    new Promise<number>((resolve) => void child.once("exit", (status) => resolve(status ?? -1))),
    text(child.stderr),
  ]);
  return { code, error };
}

describe("two runs at once", () => {
  it(`change a service one after the other, or one says that it did not: ${ROUNDS} times`, async () => {
    const trees = new Map(
      [[], [first], [second], [...new Set([first, second])]].map((names) => {
        const made = cli.create(names.join("-") || "plain", names.join(",") || "none");
        const snapshot = snapshotOf(made);
        rmSync(made, { recursive: true });
        return [names.join(" "), snapshot];
      }),
    );
    let refused = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const service = cli.create(`round-${round}`, "none");
      const names = [first, second];
      const results = await Promise.all(
        names.map((name) => finish(service, "add-integration", name, "--no-install")),
      );
      for (const { code, error } of results.filter((result) => result.code !== 0)) {
        refused += 1;
        expect(code).toBe(1);
        expect(error).toMatch(/is running here|changed in the meantime/);
      }
      const done = [...new Set(names.filter((_, index) => results[index]?.code === 0))];
      expect(done).not.toEqual([]);
      expect(snapshotOf(service)).toEqual(trees.get(done.join(" ")));
    }
    console.log(`${ROUNDS} pairs of runs at once; ${refused} of them said that they did nothing`);
  });
});
