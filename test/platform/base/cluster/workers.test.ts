import { expect, it } from "vitest";
import { nextBackOff } from "../../src/platform/cluster/workers.ts";

it("doubles from 0.1 s to 10 s", () => {
  const pool = { failures: 0 };
  const waits = Array.from({ length: 9 }, () => nextBackOff(pool, 50));
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
});

it("starts anew after a worker that lived long", () => {
  const pool = { failures: 0 };
  nextBackOff(pool, 50);
  nextBackOff(pool, 50);
  expect(nextBackOff(pool, 60_000)).toBe(100);
  expect(nextBackOff(pool, 50)).toBe(200);
});
