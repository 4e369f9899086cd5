import { expect, it } from "vitest";
import { createBackoff } from "../../src/platform/cluster/backoff.ts";

it("doubles from 0.1 s to 10 s", () => {
  const backoff = createBackoff();
  const waits = Array.from({ length: 9 }, () => backoff.fail(50));
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
});

it("starts anew after a worker that lived long", () => {
  const backoff = createBackoff();
  backoff.fail(50);
  backoff.fail(50);
  expect(backoff.fail(60_000)).toBe(100);
  expect(backoff.fail(50)).toBe(200);
});
